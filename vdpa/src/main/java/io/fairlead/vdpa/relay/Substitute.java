package io.fairlead.vdpa.relay;

import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;

/** What goes on in the place of a device that goes away ({@link io.fairlead.vdpa.Departure}). */
public interface Substitute {
    /** The features that it has; a driver is offered no others from the start. */
    long features();

    /**
     * Makes the device. It takes the driver's features, and has as many queues of at least the same size.
     *
     * @param gone to be like it; its configuration can be read
     * @return belongs to the relay from then on
     */
    VdpaDevice make(VdpaDevice gone) throws IOException;
}
