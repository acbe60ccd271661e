package io.fairlead.vdpa;

/** Who is told what goes up from a device to its front-end. Called on any thread; must not call into the device. */
public interface DeviceListener {
    /** The configuration space changed: the driver shall get a configuration interrupt. */
    void configChanged();

    /**
     * The device set NEEDS_RESET.
     *
     * @param reason for log and operator
     */
    void needsReset(String reason);
}
