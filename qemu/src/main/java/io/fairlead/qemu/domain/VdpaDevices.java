package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/** The forms in which a document names a vDPA device. */
public final class VdpaDevices {
    private VdpaDevices() {}

    /** The vDPA device behind a device; null where there is none. */
    public static @Nullable VdpaSource source(Device device) {
        return switch (device) {
            case VdpaHostDevice host -> host.source();
            case Disk disk ->
                switch (disk.source()) {
                    case DiskSource.VhostVdpa(VdpaSource source) -> source;
                    case DiskSource.GenericVdpa(VdpaSource source) -> source;
                    default -> null;
                };
            case NetworkInterface nic ->
                switch (nic.source()) {
                    case NetworkInterface.Source.Vdpa(VdpaSource source) -> source;
                    case NetworkInterface.Source.GenericVdpa(VdpaSource source) -> source;
                    default -> null;
                };
            default -> null;
        };
    }

    /** The same device with another vDPA device behind it; it has one. */
    public static Device withSource(Device device, VdpaSource source) {
        return switch (device) {
            case VdpaHostDevice host -> new VdpaHostDevice(source, host.place(), host.kept());
            case Disk disk ->
                disk.withSource(
                        disk.source() instanceof DiskSource.VhostVdpa
                                ? new DiskSource.VhostVdpa(source)
                                : new DiskSource.GenericVdpa(source));
            case NetworkInterface nic ->
                nic.withSource(
                        nic.source() instanceof NetworkInterface.Source.Vdpa
                                ? new NetworkInterface.Source.Vdpa(source)
                                : new NetworkInterface.Source.GenericVdpa(source));
            default -> throw new IllegalArgumentException("No vDPA device is behind a " + device.element());
        };
    }
}
