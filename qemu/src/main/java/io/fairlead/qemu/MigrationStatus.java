package io.fairlead.qemu;

import java.util.Locale;

/** QEMU's status of a migration, in its own words. */
public enum MigrationStatus {
    /** None has been started. */
    NONE,
    SETUP,
    ACTIVE,
    /** The machine is stopped and its devices too; QEMU waits for {@code migrate-continue}. */
    PRE_SWITCHOVER,
    /** The devices' state is on its way. */
    DEVICE,
    CANCELLING,
    CANCELLED,
    COMPLETED,
    FAILING,
    FAILED,
    POSTCOPY_ACTIVE,
    WAIT_UNPLUG,
    /** One that this code does not know. */
    OTHER;

    /** The status that QEMU writes in lower case with hyphens. */
    public static MigrationStatus of(String text) {
        for (MigrationStatus status : values()) {
            if (status != OTHER && status.qemuName().equals(text)) {
                return status;
            }
        }
        return OTHER;
    }

    /** As QEMU writes it. */
    public String qemuName() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Nothing follows any more. */
    public boolean isFinal() {
        return this == COMPLETED || this == FAILED || this == CANCELLED;
    }
}
