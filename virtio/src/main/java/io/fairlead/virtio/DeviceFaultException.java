package io.fairlead.virtio;

/**
 * What a device did against the specification, seen from the driver's side: a used buffer that was never made available,
 * an impossible index, more bytes written than there was room for. The device is to be reset; its queue gives back the
 * outstanding buffers by {@link DriverQueue#reset}.
 */
public final class DeviceFaultException extends Exception {
    private static final long serialVersionUID = 1L;

    public DeviceFaultException(String message) {
        super(message);
    }
}
