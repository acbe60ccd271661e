package io.fairlead.node.migration;

import io.fairlead.node.channel.Message;
import io.fairlead.node.journal.Step;
import java.io.IOException;
import java.util.Arrays;

/**
 * What became of a machine, as the destination says it.
 *
 * @param step RUNNING, ABORTED or LOST
 * @param reason for the operator; empty where it runs
 * @param loadedMillis from the grant until the machine was loaded; 0 where it was not, or not seen by this process
 * @param startedMillis from the grant until it ran
 */
public record Outcome(Step step, String reason, long loadedMillis, long startedMillis) {
    public Outcome {
        if (!step.isFinal()) {
            throw new IllegalArgumentException(step + " is no outcome");
        }
    }

    /** Writes it into an answer. */
    public Message into(Message message) {
        return message.with("outcome", step.name())
                .with("reason", reason)
                .with("loadedMillis", loadedMillis)
                .with("startedMillis", startedMillis);
    }

    static Outcome of(Message message) throws IOException {
        String name = message.text("outcome");
        Step step = Arrays.stream(Step.values())
                .filter(value -> value.isFinal() && value.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IOException("the other node answered '" + name + "', which is no outcome"));
        return new Outcome(
                step,
                message.text("reason"),
                message.fields().path("loadedMillis").asLong(0),
                message.fields().path("startedMillis").asLong(0));
    }
}
