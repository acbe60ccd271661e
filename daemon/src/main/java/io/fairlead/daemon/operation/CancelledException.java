package io.fairlead.daemon.operation;

/** An operation was taken back, and everything is as before. */
public final class CancelledException extends Exception {
    private static final long serialVersionUID = 1L;

    public CancelledException(String message) {
        super(message);
    }
}
