package io.fairlead.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Connects a terminal to a machine's serial port, a Unix socket. */
final class SerialConsole {
    /** Ctrl and the closing bracket, as telnet's and virsh's. */
    private static final int ESCAPE = 0x1d;

    private static final int BUFFER_BYTES = 4096;

    private SerialConsole() {}

    /** Connects until the user leaves or the machine's side ends; the terminal is as before then. */
    static void run(Path socket, boolean isTerminal) throws IOException, InterruptedException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            if (!isTerminal) {
                relay(channel, System.in, System.out);
                return;
            }
            String before = stty(List.of("-g")).strip();
            Thread restore = new Thread(() -> restore(before), "fairlead-terminal");
            Runtime.getRuntime().addShutdownHook(restore);
            try {
                String _ = stty(List.of("raw", "-echo"));
                relay(channel, System.in, System.out);
            } finally {
                restore(before);
                try {
                    boolean _ = Runtime.getRuntime().removeShutdownHook(restore);
                } catch (IllegalStateException e) {
                    // The end has begun; the hook does the same once more.
                }
            }
        }
    }

    /**
     * Carries bytes both ways until the escape character or the end of the socket. The end of {@code in} ends nothing:
     * the machine may have more to say.
     */
    static void relay(SocketChannel channel, InputStream in, OutputStream out) throws IOException {
        Thread typed = Thread.ofPlatform().daemon().name("fairlead-console").start(() -> {
            byte[] bytes = new byte[BUFFER_BYTES];
            try {
                for (int length = in.read(bytes); length >= 0; length = in.read(bytes)) {
                    int end = indexOf(bytes, length, ESCAPE);
                    ByteBuffer buffer = ByteBuffer.wrap(bytes, 0, end < 0 ? length : end);
                    while (buffer.hasRemaining()) {
                        int _ = channel.write(buffer);
                    }
                    if (end >= 0) {
                        channel.shutdownInput();
                        return;
                    }
                }
            } catch (IOException e) {
                // The other direction ends, too, and says so.
            }
        });
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
        while (channel.read(buffer.clear()) >= 0) {
            out.write(buffer.array(), 0, buffer.position());
            out.flush();
        }
        typed.interrupt();
    }

    private static int indexOf(byte[] bytes, int length, int wanted) {
        for (int i = 0; i < length; i++) {
            if (bytes[i] == wanted) {
                return i;
            }
        }
        return -1;
    }

    private static void restore(String settings) {
        try {
            String _ = stty(List.of(settings));
        } catch (IOException e) {
            System.err.println("fairlead: " + e.getMessage() + "; 'stty sane' makes the terminal usable");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String stty(List<String> arguments) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("stty", "-F", "/dev/tty"));
        line.addAll(arguments);
        Process stty = new ProcessBuilder(line).redirectErrorStream(true).start();
        String said = new String(stty.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!stty.waitFor(5, TimeUnit.SECONDS) || stty.exitValue() != 0) {
            stty.destroyForcibly();
            throw new IOException("the terminal cannot be set: " + said.strip());
        }
        return said;
    }
}
