package io.fairlead.qemu;

import java.io.IOException;

/** A migration ended otherwise than it should, or did not come as far as it should in time. */
public final class MigrationException extends IOException {
    private static final long serialVersionUID = 1L;

    private final MigrationStatus status;
    private final String reason;

    /**
     * @param what went wrong, a sentence without its end
     * @param reason QEMU's own words; empty where it gave none
     */
    MigrationException(String what, MigrationStatus status, String reason) {
        super(what + " (status " + status.qemuName() + "): "
                + (reason.isEmpty() ? "QEMU gave no reason, its standard error may" : reason));
        this.status = status;
        this.reason = reason;
    }

    /** How far it came. */
    public MigrationStatus status() {
        return status;
    }

    /** QEMU's own words; empty where it gave none. */
    public String reason() {
        return reason;
    }
}
