package io.fairlead.qemu.domain;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A disk.
 *
 * @param kind what the guest sees
 * @param format of the content: {@code raw}, {@code qcow2} and others of QEMU's
 * @param target its name in the document, such as {@code vda}, unique among the machine's disks
 * @param tuning what caching, queues and the like are to be
 * @param limits of {@code <iotune>}: libvirt's names, such as {@code total_bytes_sec}, in bytes, operations or seconds
 * @param serial that the guest reads
 */
public record Disk(
        Kind kind,
        DiskSource source,
        String format,
        String target,
        Bus bus,
        boolean readOnly,
        boolean shareable,
        @Nullable String serial,
        Tuning tuning,
        Map<String, Long> limits,
        Place place,
        Kept kept)
        implements Device {
    /** What the guest sees. */
    public enum Kind implements Word {
        DISK,
        CDROM
    }

    /** What it is connected to. */
    public enum Bus implements Word {
        VIRTIO,
        SCSI,
        SATA,
        IDE
    }

    /** How writes are cached. */
    public enum Cache implements Word {
        DEFAULT,
        NONE,
        WRITETHROUGH,
        WRITEBACK,
        DIRECTSYNC,
        UNSAFE
    }

    /** How QEMU does input and output. */
    public enum Io implements Word {
        DEFAULT,
        THREADS,
        NATIVE,
        IO_URING {
            @Override
            public String word() {
                return "io_uring";
            }
        }
    }

    /** What becomes of blocks that the guest discards. */
    public enum Discard implements Word {
        DEFAULT,
        IGNORE,
        UNMAP
    }

    /** @param queues 0 for as many as QEMU chooses */
    public record Tuning(Cache cache, Io io, Discard discard, int queues) {
        /** All as QEMU chooses. */
        public static final Tuning DEFAULT = new Tuning(Cache.DEFAULT, Io.DEFAULT, Discard.DEFAULT, 0);

        /** The same with so many queues. */
        public Tuning withQueues(int value) {
            return new Tuning(cache, io, discard, value);
        }
    }

    public Disk {
        limits = java.util.Collections.unmodifiableMap(new TreeMap<>(limits));
    }

    @Override
    public String element() {
        return "disk";
    }

    @Override
    public Disk withPlace(Place value) {
        return new Disk(kind, source, format, target, bus, readOnly, shareable, serial, tuning, limits, value, kept);
    }

    /** The same with so many queues. */
    public Disk withQueues(int queues) {
        Tuning value = tuning.withQueues(queues);
        return new Disk(kind, source, format, target, bus, readOnly, shareable, serial, value, limits, place, kept);
    }

    /** The same with another source. */
    public Disk withSource(DiskSource value) {
        return new Disk(kind, value, format, target, bus, readOnly, shareable, serial, tuning, limits, place, kept);
    }
}
