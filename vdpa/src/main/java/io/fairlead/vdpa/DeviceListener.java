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

    /**
     * The device goes away. Whoever has something to put in its place says so and calls {@link Departure#letGo} when that
     * is done; otherwise the device sets NEEDS_RESET.
     *
     * @return whether the listener sees to it
     */
    default boolean leaving(Departure departure) {
        return false;
    }
}
