package io.fairlead.vdpa.state;

import io.fairlead.virtio.parts.Octets;
import java.util.UUID;

/**
 * What a device state says of itself.
 *
 * @param minor the minor version of the format that it was written in
 * @param isFinal taken of the stopped device: complete; otherwise provisional, taken while it may have run
 * @param epoch counts the owners of the device: one more at each handing over, from 0
 * @param deviceId the virtio device id
 * @param uuid of the device, the same on every host
 * @param extension what a later minor version added to the header, kept as it came
 */
public record StateHeader(int minor, boolean isFinal, int epoch, int deviceId, UUID uuid, Octets extension) {
    /** One of this version. */
    public StateHeader(boolean isFinal, int epoch, int deviceId, UUID uuid) {
        this(DeviceState.MINOR, isFinal, epoch, deviceId, uuid, Octets.EMPTY);
    }
}
