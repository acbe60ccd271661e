package io.fairlead.devices.console;

import io.fairlead.vdpa.loop.Waiting;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A console's output at the end of a file. A thread of its own writes it, for a disk of the host may be slow. */
final class ConsoleFile implements ConsoleHost {
    private static final Logger LOG = LoggerFactory.getLogger(ConsoleFile.class);
    private static final int RING_BYTES = 64 << 10;
    private static final int PIECE_BYTES = 8 << 10;

    private final String name;
    private final Path path;
    private final FileChannel channel;
    private final ByteRing output = new ByteRing(RING_BYTES);
    private final ByteRing input = new ByteRing(1);
    private final Thread thread;
    private boolean closed;
    private boolean failed;

    ConsoleFile(String name, Path path) throws IOException {
        this.name = name;
        this.path = path;
        channel = FileChannel.open(
                path,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        thread = Thread.ofPlatform().daemon().name(name + "-console").start(this::run);
    }

    private void run() {
        ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
        while (awaitOutput()) {
            piece.clear();
            long position = output.peek(piece);
            piece.flip();
            output.dropTo(position + piece.limit());
            try {
                while (piece.hasRemaining()) {
                    int _ = channel.write(piece);
                }
                failed = false;
            } catch (IOException e) {
                if (!failed) {
                    LOG.error("{}: output is lost: {} cannot be written: {}", name, path, e.getMessage());
                }
                failed = true;
            }
        }
    }

    /** @return false when it is closed and all is written */
    private synchronized boolean awaitOutput() {
        while (output.count() == 0 && !closed) {
            try {
                wait();
            } catch (InterruptedException e) {
                // Nobody has a reason to: it ends by close alone.
            }
        }
        return output.count() > 0;
    }

    @Override
    public ByteRing output() {
        return output;
    }

    @Override
    public ByteRing input() {
        return input;
    }

    @Override
    public synchronized void outputCame() {
        notifyAll();
    }

    @Override
    public void inputTaken() {}

    @Override
    public void onInput(Runnable listener) {}

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        Waiting.join(thread);
        try {
            channel.close();
        } catch (IOException e) {
            LOG.warn("{}: {} was not closed: {}", name, path, e.getMessage());
        }
    }
}
