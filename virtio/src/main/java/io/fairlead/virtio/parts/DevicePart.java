package io.fairlead.virtio.parts;

import java.util.List;

/** One part of a device's state as the standard has it (virtio 1.4, 2.13). Immutable. */
public sealed interface DevicePart {
    int DEVICE_FEATURES = 0x100;
    int DRIVER_FEATURES = 0x101;
    int PCI_COMMON_CONFIGURATION = 0x102;
    int DEVICE_STATUS = 0x103;
    int QUEUE_CONFIGURATION = 0x104;
    int QUEUE_NOTIFY_CONFIGURATION = 0x105;

    /** What stands in for the vector of a queue that has none, or whose transport keeps it elsewhere. */
    int NO_VECTOR = 0xffff;

    /** The standard's number, {@code part_type}. */
    int type();

    /** Whether a device may do without it ({@code VIRTIO_DEV_PART_F_OPTIONAL}). */
    default boolean optional() {
        return false;
    }

    /** Which of the parts of its type it is: a queue's index, an offset, or 0. */
    default long selector() {
        return 0;
    }

    /**
     * What the device offers; optional.
     *
     * @param words 64 bits each, the lowest first
     */
    record DeviceFeatures(List<Long> words) implements DevicePart {
        public DeviceFeatures {
            words = List.copyOf(words);
        }

        @Override
        public int type() {
            return DEVICE_FEATURES;
        }

        @Override
        public boolean optional() {
            return true;
        }
    }

    /**
     * What the driver took.
     *
     * @param words 64 bits each, the lowest first
     */
    record DriverFeatures(List<Long> words) implements DevicePart {
        public DriverFeatures {
            words = List.copyOf(words);
        }

        @Override
        public int type() {
            return DRIVER_FEATURES;
        }
    }

    /**
     * One field of the PCI transport's common configuration.
     *
     * @param offset of the field in {@code struct virtio_pci_common_cfg}
     */
    record PciCommonConfiguration(int offset, Octets value) implements DevicePart {
        @Override
        public int type() {
            return PCI_COMMON_CONFIGURATION;
        }

        @Override
        public long selector() {
            return Integer.toUnsignedLong(offset);
        }
    }

    /** @param bits of {@link io.fairlead.virtio.DeviceStatus}, one byte */
    record Status(int bits) implements DevicePart {
        @Override
        public int type() {
            return DEVICE_STATUS;
        }
    }

    /**
     * What the driver set for a queue.
     *
     * @param size ring entries
     * @param vector of the PCI transport; {@link #NO_VECTOR}
     * @param enabled whether the driver enabled it
     * @param descriptorAddress guest address of the descriptor table or ring
     * @param driverAddress guest address of the available ring or driver event area
     * @param deviceAddress guest address of the used ring or device event area
     */
    record QueueConfiguration(
            int queue,
            int size,
            int vector,
            boolean enabled,
            long descriptorAddress,
            long driverAddress,
            long deviceAddress)
            implements DevicePart {
        @Override
        public int type() {
            return QUEUE_CONFIGURATION;
        }

        @Override
        public long selector() {
            return queue;
        }
    }

    /** How the driver of the PCI transport notifies a queue; 16 bits each. */
    record QueueNotifyConfiguration(int queue, int notifyOffset, int configurationData) implements DevicePart {
        @Override
        public int type() {
            return QUEUE_NOTIFY_CONFIGURATION;
        }

        @Override
        public long selector() {
            return queue;
        }
    }

    /** An optional part of a type that has no record here, kept as it came. */
    record Unknown(int type, long selector, Octets value) implements DevicePart {
        @Override
        public boolean optional() {
            return true;
        }
    }
}
