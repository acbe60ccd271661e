package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** {@code struct sockaddr_un}: a family and a path that ends with a zero byte. */
final class SocketAddress {
    static final int AF_UNIX = 1;
    static final int SIZE = 110;
    static final long FAMILY = 0;
    static final long PATH = 2;

    /** Without the zero byte at the end. */
    static final int MAX_PATH_BYTES = 107;

    private SocketAddress() {}

    /** @throws IOException where the path is too long for a socket */
    static MemorySegment of(Path path, Arena arena) throws IOException {
        byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_PATH_BYTES) {
            throw new IOException("socket path is too long: %s has %d bytes, Linux allows %d; choose a shorter one"
                    .formatted(path, bytes.length, MAX_PATH_BYTES));
        }
        MemorySegment address = arena.allocate(SIZE, Long.BYTES);
        address.set(JAVA_SHORT, FAMILY, (short) AF_UNIX);
        MemorySegment.copy(bytes, 0, address, JAVA_BYTE, PATH, bytes.length);
        return address;
    }
}
