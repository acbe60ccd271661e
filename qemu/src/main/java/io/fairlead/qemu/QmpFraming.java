package io.fairlead.qemu;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Cuts QMP's stream into its lines, each one message. One thread. */
final class QmpFraming {
    private static final int FIRST_BYTES = 8192;

    private final ReadableByteChannel channel;
    private final int maxBytes;
    private ByteBuffer buffer = ByteBuffer.allocate(FIRST_BYTES);
    private int scanned;

    QmpFraming(ReadableByteChannel channel, int maxBytes) {
        this.channel = channel;
        this.maxBytes = maxBytes;
    }

    /**
     * The next line that is not blank, without its end; null at the end of the stream.
     *
     * @throws IOException also for a line above the limit and for a stream that ends inside a line
     */
    @Nullable
    String next() throws IOException {
        while (true) {
            String line = cut();
            if (line != null) {
                if (!line.isBlank()) {
                    return line;
                }
                continue;
            }
            makeRoom();
            if (channel.read(buffer) < 0) {
                if (buffer.position() > 0) {
                    throw new IOException("the stream ended inside a message");
                }
                return null;
            }
        }
    }

    private @Nullable String cut() {
        byte[] bytes = buffer.array();
        int end = buffer.position();
        for (int i = scanned; i < end; i++) {
            if (bytes[i] == '\n') {
                String line = new String(bytes, 0, i, StandardCharsets.UTF_8);
                buffer.flip().position(i + 1);
                buffer.compact();
                scanned = 0;
                return line;
            }
        }
        scanned = end;
        return null;
    }

    private void makeRoom() throws IOException {
        if (buffer.hasRemaining()) {
            return;
        }
        if (buffer.capacity() >= maxBytes) {
            throw new IOException("a message longer than " + maxBytes + " bytes");
        }
        ByteBuffer larger = ByteBuffer.allocate(Math.min(maxBytes, buffer.capacity() * 2));
        larger.put(buffer.flip());
        buffer = larger;
    }
}
