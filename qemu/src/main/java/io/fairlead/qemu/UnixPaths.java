package io.fairlead.qemu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** The kernel's limit on the path of a Unix socket. */
final class UnixPaths {
    /** sun_path has 108 bytes with its closing zero. */
    static final int MAX_BYTES = 107;

    private UnixPaths() {}

    static void check(Path socket) throws IOException {
        int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_BYTES) {
            throw new IOException("The socket path " + socket + " has " + length + " bytes, the kernel allows "
                    + MAX_BYTES + ": use a folder with a shorter name");
        }
    }
}
