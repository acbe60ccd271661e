package io.fairlead.daemon.operation;

/** Where an operation is. */
public enum OperationState {
    RUNNING("running"),
    DONE("done"),
    /** What it says in its error; the object is as before, or as the error says. */
    FAILED("failed"),
    /** Taken back by a user; the object is as before. */
    CANCELLED("cancelled");

    private final String word;

    OperationState(String word) {
        this.word = word;
    }

    /** As in the API. */
    public String word() {
        return word;
    }
}
