package io.fairlead.bench.net;

import io.fairlead.bench.ProcessUsage;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Has packets go round: testpmd sends a fixed number of them by each of its two ports, the server passes them to the other
 * port, and what arrives is sent again. So none is lost for want of room, and how fast they go round is what client and
 * server can do.
 */
final class ForwardClient {
    /** Of 32 packets each, sent by both ports at first. */
    private static final int BURSTS = 8;

    private static final Duration READY_TIMEOUT = Duration.ofSeconds(30);
    private static final Duration END_TIMEOUT = Duration.ofSeconds(20);
    private static final long LOOK_MILLIS = 20;
    private static final double NANOS_PER_SECOND = 1e9;

    /** Two ports, looked at twice. */
    private static final int RATES = 4;

    private static final Pattern RATE = Pattern.compile("Rx-pps:\\s*(\\d+)");

    private ForwardClient() {}

    /**
     * Measures one run.
     *
     * @param command of {@link Testpmd#virtioUser}
     * @param serverPid whose processor time counts
     * @param log for what the client writes
     * @throws IOException where the client does not start or no packet comes through
     */
    static NetLoad run(List<String> command, long serverPid, Path log, Duration warmup, Duration runTime)
            throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try (Writer commands = process.outputWriter(StandardCharsets.US_ASCII)) {
            awaitReady(process, log);
            say(commands, "start tx_first " + BURSTS);
            sleep(warmup);
            // Rates are since the last look, by the client's own clock.
            say(commands, "show port stats all");
            long cpuBefore = ProcessUsage.of(serverPid).cpuNanos();
            long before = System.nanoTime();
            sleep(runTime);
            say(commands, "show port stats all");
            long nanos = System.nanoTime() - before;
            long cpu = ProcessUsage.of(serverPid).cpuNanos() - cpuBefore;
            say(commands, "stop");
            say(commands, "quit");
            if (!process.waitFor(END_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
                throw new IOException("the client does not end; it wrote: " + tail(written(log)));
            }
            double rate = rate(written(log));
            return new NetLoad(rate, cpu / (rate * nanos / NANOS_PER_SECOND));
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private static void sleep(Duration time) throws InterruptedException {
        TimeUnit.NANOSECONDS.sleep(time.toNanos());
    }

    private static void say(Writer commands, String line) throws IOException {
        commands.write(line + "\n");
        commands.flush();
    }

    private static void awaitReady(Process process, Path log) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + READY_TIMEOUT.toNanos();
        while (!Testpmd.isReady(written(log))) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new IOException("the client did not start; it wrote: " + tail(written(log)));
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
        }
    }

    private static String written(Path log) throws IOException {
        return Files.readString(log, StandardCharsets.ISO_8859_1);
    }

    private static String tail(String text) {
        return text.substring(Math.max(0, text.length() - 2000));
    }

    /**
     * Packets a second that came in by both ports in the time between two looks.
     *
     * @throws IOException where there is no such thing in what the client wrote, or none came
     */
    static double rate(String written) throws IOException {
        List<Double> rates = new ArrayList<>();
        Matcher matcher = RATE.matcher(written);
        while (matcher.find()) {
            rates.add(Double.parseDouble(matcher.group(1)));
        }
        if (rates.size() != RATES) {
            throw new IOException("the client told %d rates instead of %d; it wrote: %s"
                    .formatted(rates.size(), RATES, tail(written)));
        }
        double first = rates.get(RATES - 2);
        double second = rates.get(RATES - 1);
        if (first == 0 || second == 0) {
            throw new IOException("no packet came through the server: " + tail(written));
        }
        return first + second;
    }
}
