package io.fairlead.cli;

import io.fairlead.cli.output.DeviceRates;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** {@code fairlead top}: what devices do now. */
@Command(
        name = "top",
        description = "Show what a daemon's devices do in a second, the busiest first, until Ctrl-C.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Without a terminal, or with --once, one table is printed after one interval. Devices that the kernel or",
            "another daemon serves count nothing here."
        })
final class TopCommand implements Callable<Integer> {
    private static final String FROM_THE_TOP = "\033[H\033[J";

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private DaemonMixin daemon;

    @Option(names = "--once", description = "Print one table and end.")
    private boolean once;

    @Option(
            names = "--interval",
            paramLabel = "SECONDS",
            defaultValue = "1",
            description = "Between two looks, 0.1 to 3600. Default: ${DEFAULT-VALUE}.")
    private double intervalSeconds;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (!(intervalSeconds >= 0.1 && intervalSeconds <= 3600)) {
            throw new IllegalArgumentException("--interval: from 0.1 to 3600 seconds");
        }
        boolean isTerminal = DaemonMixin.isTerminal();
        boolean goesOn = !once && (isTerminal || daemon.json());
        try (ApiClient client = daemon.open()) {
            JsonNode before = client.get("/v1/statistics");
            long beforeNanos = System.nanoTime();
            do {
                TimeUnit.NANOSECONDS.sleep(Math.round(intervalSeconds * 1e9));
                JsonNode after = client.get("/v1/statistics");
                long afterNanos = System.nanoTime();
                DeviceRates rates = new DeviceRates(before, after, Math.max(1, afterNanos - beforeNanos));
                if (daemon.json()) {
                    System.out.println(rates.json());
                } else {
                    System.out.print(
                            (goesOn ? FROM_THE_TOP : "") + rates.table().text(Ansi.AUTO.enabled()));
                }
                System.out.flush();
                before = after;
                beforeNanos = afterNanos;
            } while (goesOn && !System.out.checkError());
        }
        return 0;
    }
}
