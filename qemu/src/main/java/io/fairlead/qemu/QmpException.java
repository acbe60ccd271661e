package io.fairlead.qemu;

import java.io.IOException;

/** QEMU refused a command. */
public final class QmpException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String command;
    private final String errorClass;
    private final String description;

    QmpException(String command, String errorClass, String description) {
        super("QEMU refused the command " + command + ": " + description + " (" + errorClass + ")");
        this.command = command;
        this.errorClass = errorClass;
        this.description = description;
    }

    /** The command that was refused. */
    public String command() {
        return command;
    }

    /** QEMU's class of error: GenericError, CommandNotFound, DeviceNotFound, DeviceNotActive, KVMMissingCap. */
    public String errorClass() {
        return errorClass;
    }

    /** QEMU's own words. */
    public String description() {
        return description;
    }
}
