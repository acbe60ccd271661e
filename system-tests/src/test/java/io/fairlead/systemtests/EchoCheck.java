package io.fairlead.systemtests;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;

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
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1])), CONNECT_MILLIS);
            socket.setSoTimeout(READ_MILLIS);
            Thread input = Thread.ofPlatform().daemon().start(() -> awaitEnd(System.in));
            Thread sender = Thread.ofPlatform().start(() -> send(socket, input));
            System.out.println("connected");
            long bytes = compare(socket.getInputStream());
            sender.join();
            System.out.println("compared " + bytes);
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

    private static void send(Socket socket, Thread input) {
        Random random = random();
        byte[] block = new byte[BLOCK_BYTES];
        try {
            OutputStream out = socket.getOutputStream();
            while (input.isAlive()) {
                random.nextBytes(block);
                out.write(block);
                TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            }
            socket.shutdownOutput();
        } catch (IOException | InterruptedException e) {
            System.out.println("sending failed: " + e);
            Runtime.getRuntime().halt(1);
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
