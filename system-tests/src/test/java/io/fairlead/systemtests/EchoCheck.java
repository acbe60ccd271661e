package io.fairlead.systemtests;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;

/**
 * A program of its own, for a network namespace: one TCP connection to somebody who sends back what he gets, over which
 * data goes all the time until standard input ends. Every byte that comes back is compared. The last line says how many
 * there were; the exit code is 0 where all came and were right.
 */
final class EchoCheck {
    private static final int BLOCK_BYTES = 4096;
    private static final long PAUSE_MILLIS = 4;
    private static final int CONNECT_MILLIS = 30_000;
    private static final int READ_MILLIS = 120_000;

    private EchoCheck() {}

    /** @param arguments host and port */
    public static void main(String[] arguments) throws Exception {
        Thread input = Thread.ofPlatform().daemon().start(() -> awaitEnd(System.in));
        InetSocketAddress address = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
        long bytes = talk(address, input::isAlive, () -> System.out.println("connected"));
        System.out.println("compared " + bytes);
    }

    /**
     * Talks to who sends back what he gets.
     *
     * @param goesOn asked before each block
     * @param connected called when the connection is there
     * @return the bytes that came back, all of them as they were sent
     */
    static long talk(InetSocketAddress address, BooleanSupplier goesOn, Runnable connected)
            throws IOException, InterruptedException {
        try (Socket socket = new Socket()) {
            socket.connect(address, CONNECT_MILLIS);
            socket.setSoTimeout(READ_MILLIS);
            connected.run();
            AtomicLong sent = new AtomicLong();
            Thread sender = Thread.ofPlatform().start(() -> send(socket, goesOn, sent));
            long bytes = compare(socket.getInputStream());
            sender.join();
            if (bytes != sent.get()) {
                throw new IOException("%d bytes came back of %d".formatted(bytes, sent.get()));
            }
            return bytes;
        }
    }

    private static void awaitEnd(InputStream in) {
        try {
            while (in.read() >= 0) {
                // Only the end counts.
            }
        } catch (IOException e) {
            // It is over then, too.
        }
    }

    private static Random random() {
        return new Random(1);
    }

    /** Where it fails, less comes back than was sent. */
    private static void send(Socket socket, BooleanSupplier goesOn, AtomicLong sent) {
        Random random = random();
        byte[] block = new byte[BLOCK_BYTES];
        try {
            OutputStream out = socket.getOutputStream();
            while (goesOn.getAsBoolean()) {
                random.nextBytes(block);
                sent.addAndGet(block.length);
                out.write(block);
                TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            }
            socket.shutdownOutput();
        } catch (IOException | InterruptedException e) {
            System.out.println("sending failed: " + e);
            sent.incrementAndGet();
        }
    }

    private static long compare(InputStream in) throws IOException {
        Random random = random();
        byte[] expected = new byte[BLOCK_BYTES];
        long bytes = 0;
        while (true) {
            byte[] block = in.readNBytes(BLOCK_BYTES);
            if (block.length == 0) {
                return bytes;
            }
            random.nextBytes(expected);
            if (!Arrays.equals(block, expected)) {
                throw new IOException("other bytes came back than were sent, from " + bytes + " on");
            }
            bytes += block.length;
        }
    }
}
