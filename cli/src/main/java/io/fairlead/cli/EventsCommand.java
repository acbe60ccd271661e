package io.fairlead.cli;

import io.fairlead.cli.output.Table;
import io.fairlead.daemon.client.ApiClient;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** {@code fairlead events}: what happens at a daemon, as it happens. */
@Command(
        name = "events",
        description = "Print what happens at a daemon, a line an event, until Ctrl-C or the daemon's end.",
        mixinStandardHelpOptions = true)
final class EventsCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private DaemonMixin daemon;

    @Option(
            names = "--after",
            paramLabel = "SEQ",
            defaultValue = "-1",
            description =
                    "Begin after the event of this number; 0 for the oldest that is kept. Default: with the next.")
    private long after;

    @Option(names = "--count", paramLabel = "N", description = "End after so many events.")
    private long count = Long.MAX_VALUE;

    @Override
    public Integer call() throws IOException {
        if (count < 1) {
            throw new IllegalArgumentException("--count: at least 1");
        }
        try (ApiClient client = daemon.open()) {
            long[] left = {count};
            client.events(after, event -> {
                daemon.print(event, text(event));
                return --left[0] > 0;
            });
        }
        return 0;
    }

    private static String text(JsonNode event) {
        return Table.printable("%s %s %s %s"
                .formatted(
                        event.path("time").asString(""),
                        event.path("kind").asString(""),
                        event.path("object").asString("-"),
                        event.path("text").asString("")));
    }
}
