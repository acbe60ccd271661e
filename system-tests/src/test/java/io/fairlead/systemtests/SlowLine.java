package io.fairlead.systemtests;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A line to a port of this host that takes its time, so that what waits for an answer can be met while it waits, and that
 * can be cut, fall silent without being closed, and be mended. Thread-safe.
 */
final class SlowLine implements AutoCloseable {
    private static final int CHUNK_BYTES = 64 << 10;

    private enum State {
        WHOLE,
        CUT,
        SILENT
    }

    /** Bytes that are on their way; none of them at the end of the stream. */
    private record Chunk(long arrivesNanos, ByteBuffer bytes) {}

    private final ServerSocket listener;
    private final int targetPort;
    private final long delayNanos;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private State state = State.WHOLE;

    /** @param delayMillis in each direction */
    SlowLine(int targetPort, long delayMillis) throws IOException {
        this.targetPort = targetPort;
        this.delayNanos = delayMillis * 1_000_000;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread _ = Thread.ofPlatform().daemon().name("line").start(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** Both ends see the connections closed; new ones are closed at once. */
    void cut() {
        become(State.CUT);
        open.forEach(SlowLine::close);
    }

    /** Nothing arrives any more and nothing is closed. */
    void fallSilent() {
        become(State.SILENT);
    }

    /** What was held up arrives, where its connection is still there. */
    void mend() {
        become(State.WHOLE);
    }

    private synchronized void become(State next) {
        state = next;
        notifyAll();
    }

    private synchronized boolean isCut() {
        return state == State.CUT;
    }

    private synchronized void passWhenNotSilent() throws InterruptedException {
        while (state == State.SILENT) {
            wait();
        }
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket near = listener.accept();
                if (isCut()) {
                    near.close();
                    continue;
                }
                Socket far = new Socket();
                open.add(near);
                open.add(far);
                Thread _ = Thread.ofVirtual().start(() -> connect(near, far));
            } catch (IOException e) {
                if (!listener.isClosed()) {
                    throw new UncheckedIOException(e);
                }
            }
        }
    }

    private void connect(Socket near, Socket far) {
        try {
            passWhenNotSilent();
            far.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), targetPort));
            near.setTcpNoDelay(true);
            far.setTcpNoDelay(true);
            carry(near, far);
            carry(far, near);
        } catch (IOException | InterruptedException e) {
            close(near);
            close(far);
        }
    }

    private void carry(Socket from, Socket to) throws IOException {
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream();
        BlockingQueue<Chunk> way = new LinkedBlockingQueue<>();
        Thread _ = Thread.ofVirtual().start(() -> {
            byte[] buffer = new byte[CHUNK_BYTES];
            int count = 0;
            while (count >= 0) {
                try {
                    count = in.read(buffer);
                } catch (IOException e) {
                    count = -1;
                }
                way.add(new Chunk(
                        System.nanoTime() + delayNanos, ByteBuffer.wrap(Arrays.copyOf(buffer, Math.max(0, count)))));
            }
        });
        Thread _ = Thread.ofVirtual().start(() -> {
            try {
                for (Chunk chunk = way.take(); chunk.bytes().hasRemaining(); chunk = way.take()) {
                    long left = chunk.arrivesNanos() - System.nanoTime();
                    if (left > 0) {
                        Thread.sleep(left / 1_000_000, (int) (left % 1_000_000));
                    }
                    passWhenNotSilent();
                    out.write(chunk.bytes().array());
                }
                passWhenNotSilent();
            } catch (IOException | InterruptedException e) {
                // One end has gone: so does the other.
            }
            close(from);
            close(to);
        });
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }
}
