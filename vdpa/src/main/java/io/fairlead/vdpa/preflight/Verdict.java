package io.fairlead.vdpa.preflight;

/**
 * What the pre-flight check says of one field.
 *
 * @param field such as {@code queue size}, or a field of the configuration space by its name in the standard
 * @param sourceValue as a user reads it
 * @param destinationValue as a user reads it
 * @param reason why it is so; never empty
 * @param remedy what a user can do; empty where nothing has to be done
 */
public record Verdict(
        String field, Outcome outcome, String sourceValue, String destinationValue, String reason, String remedy) {
    /** Whether the machine may move. */
    public enum Outcome {
        OK,
        /** It may, and something will be different that a user should know of. */
        WARNING,
        /** It may not. */
        REFUSED
    }
}
