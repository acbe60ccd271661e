package io.fairlead.testbed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Copies files so that blocks of zeros take no room. */
final class SparseFiles {
    private static final int BLOCK_BYTES = 1 << 16;

    private SparseFiles() {}

    static void copy(Path from, Path to) throws IOException {
        try (FileChannel out = FileChannel.open(
                to, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            copyInto(from, out, 0);
        }
    }

    /** Copies a file to a position of a channel whose bytes from there on are zero or beyond its end. */
    static void copyInto(Path from, FileChannel out, long position) throws IOException {
        ByteBuffer zeros = ByteBuffer.allocate(BLOCK_BYTES);
        try (FileChannel in = FileChannel.open(from)) {
            ByteBuffer block = ByteBuffer.allocate(BLOCK_BYTES);
            long at = position;
            while (in.read(block.clear()) >= 0) {
                block.flip();
                int length = block.remaining();
                if (!block.equals(zeros.clear().limit(length))) {
                    write(out, at, block);
                }
                at += length;
            }
            if (out.size() < at) {
                write(out, at - 1, ByteBuffer.wrap(new byte[1]));
            }
        }
    }

    static void write(FileChannel out, long position, ByteBuffer bytes) throws IOException {
        long at = position;
        while (bytes.hasRemaining()) {
            at += out.write(bytes, at);
        }
    }
}
