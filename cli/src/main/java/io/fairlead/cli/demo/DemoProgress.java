package io.fairlead.cli.demo;

import io.fairlead.testbed.MigratingGuest;
import io.fairlead.vdpa.QueueStatistics;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;

/** Shows what the demo is doing: a line a stage and a check, and between them what the devices serve. */
final class DemoProgress {
    private static final long INTERVAL_MILLIS = 250;
    private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final PrintStream out;
    private final long startNanos = System.nanoTime();

    DemoProgress(PrintStream out) {
        this.out = out;
    }

    void stage(String what) {
        out.printf(Locale.ROOT, "[%5.1f s] %s%n", (System.nanoTime() - startNanos) / 1e9, what);
        out.flush();
    }

    /** Shows a guest's reports as they come, until its end is asked for. */
    Following follow(MigratingGuest guest, List<DemoHost> hosts) {
        return new Following(guest, hosts);
    }

    /** The following of one guest, on a thread of its own. */
    final class Following {
        private final MigratingGuest guest;
        private final List<DemoHost> hosts;
        private final CountDownLatch ended = new CountDownLatch(1);
        private final Thread thread;
        private int shown;
        private long lastShownNanos = System.nanoTime();
        private long lastRequests;

        private Following(MigratingGuest guest, List<DemoHost> hosts) {
            this.guest = guest;
            this.hosts = hosts;
            thread = Thread.ofVirtual().start(this::run);
        }

        private void run() {
            try {
                while (!ended.await(INTERVAL_MILLIS, TimeUnit.MILLISECONDS)) {
                    show();
                }
                show();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private void show() {
            List<JsonNode> lines = guest.lines();
            for (; shown < lines.size(); shown++) {
                show(lines.get(shown));
            }
            long now = System.nanoTime();
            if (now - lastShownNanos > QUIET_NANOS) {
                long requests = hosts.stream()
                        .flatMap(host -> host.devices().stream())
                        .map(device -> device.device().statistics().total())
                        .mapToLong(QueueStatistics.Snapshot::requests)
                        .sum();
                stage("  %d requests served, %d a second"
                        .formatted(requests, (requests - lastRequests) * 1_000_000_000L / (now - lastShownNanos)));
                lastRequests = requests;
                lastShownNanos = now;
            }
        }

        private void show(JsonNode line) {
            if (line.has("stage")) {
                stage("guest: " + line.path("stage").asString());
            } else if (line.has("check")) {
                stage("  %s %s: %s"
                        .formatted(
                                line.path("held").asBoolean() ? "ok" : "FAILED",
                                line.path("check").asString(),
                                line.path("detail").asString()));
            } else if (line.path("event").asString("").equals("booted")) {
                stage("guest: booted Linux " + line.path("kernel").asString());
            }
            lastShownNanos = System.nanoTime();
        }

        /** Shows what is left and stops. */
        void end() throws InterruptedException {
            ended.countDown();
            thread.join();
        }
    }
}
