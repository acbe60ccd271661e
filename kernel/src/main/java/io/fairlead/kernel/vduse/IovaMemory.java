package io.fairlead.kernel.vduse;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FileStatus;
import io.fairlead.linux.Vduse;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The driver's memory as the kernel hands it out, and the device's view of it: a guest's, whose pieces the kernel names
 * whenever they change; or the kernel's own, for a driver of the host (virtio_vdpa). Of that, rings and the bounce buffer
 * are pieces of one file, which come and go without a word, the bounce buffer with the first request only: so the file is
 * mapped as a whole, up to the last address that is in use. Where nothing is in it, a touch faults.
 *
 * <p>On the session's thread.
 */
final class IovaMemory {
    /** The kernel's own limit. */
    private static final int MAX_ENTRIES = 2048;

    /** What makes two pieces the same. The kernel's memory is one piece, which lasts until the driver resets the device. */
    private record Piece(
            long deviceMajor, long deviceMinor, long inode, long offset, long start, long last, int permission) {}

    private final VdpaDevice device;
    private final KernelEnd kernel;
    private Map<Piece, MemoryRegion> mapped = Map.of();
    private MemoryTable table = new MemoryTable(List.of());

    IovaMemory(VdpaDevice device, KernelEnd kernel) {
        this.device = device;
        this.kernel = kernel;
    }

    /** Gives the device the memory as it is now. Where that fails, it keeps what it had. */
    void refresh() throws IOException {
        Map<Piece, MemoryRegion> next = new HashMap<>();
        List<MemoryRegion> added = new ArrayList<>();
        try {
            collect(next, added);
            apply(next);
        } finally {
            added.forEach(MemoryRegion::release);
        }
    }

    /** Takes all memory from the device, which must have been reset. */
    void clear() throws IOException {
        apply(Map.of());
    }

    private void collect(Map<Piece, MemoryRegion> next, List<MemoryRegion> added) throws IOException {
        List<Vduse.Entry> entries = entries();
        try {
            long kernelEnd = 0;
            Fd kernelMemory = null;
            for (Vduse.Entry entry : entries) {
                if (kernel.isKernelMemory(entry.fd()) && entry.offset() == entry.start()) {
                    kernelMemory = entry.fd();
                    kernelEnd = entry.last() + 1;
                } else {
                    add(entry, next, added);
                }
            }
            if (kernelMemory != null) {
                add(new Vduse.Entry(kernelMemory, 0, 0, kernelEnd - 1, Vduse.VDUSE_ACCESS_RW), next, added);
            }
        } finally {
            entries.forEach(entry -> entry.fd().close());
        }
    }

    private List<Vduse.Entry> entries() throws IOException {
        List<Vduse.Entry> entries = new ArrayList<>();
        boolean whole = false;
        try {
            long start = 0;
            Vduse.Entry entry = kernel.entry(start);
            while (entry != null) {
                entries.add(entry);
                if (entries.size() > MAX_ENTRIES || entry.last() < start) {
                    throw new IOException("%s: the kernel's memory map has no end".formatted(device.name()));
                }
                start = entry.last() + 1;
                entry = start < 0 ? null : kernel.entry(start);
            }
            whole = true;
            return entries;
        } finally {
            if (!whole) {
                entries.forEach(entry -> entry.fd().close());
            }
        }
    }

    private void add(Vduse.Entry entry, Map<Piece, MemoryRegion> next, List<MemoryRegion> added) throws IOException {
        FileStatus file = FileIo.status(entry.fd());
        Piece piece = new Piece(
                file.deviceMajor(),
                file.deviceMinor(),
                file.inode(),
                entry.offset(),
                entry.start(),
                entry.last(),
                entry.permission());
        MemoryRegion region = mapped.get(piece);
        if (region == null) {
            region = MemoryRegion.mapOfKernel(
                    entry.fd().duplicate(),
                    entry.offset(),
                    entry.start(),
                    entry.last() - entry.start() + 1,
                    (entry.permission() & Vduse.VDUSE_ACCESS_WO) != 0);
            added.add(region);
        }
        next.put(piece, region);
    }

    private void apply(Map<Piece, MemoryRegion> next) throws IOException {
        MemoryTable replacement;
        try {
            replacement = new MemoryTable(List.copyOf(next.values()));
        } catch (IllegalArgumentException e) {
            throw new IOException("%s: the kernel's memory map: %s".formatted(device.name(), e.getMessage()), e);
        }
        try {
            device.memory(replacement);
        } catch (IOException | RuntimeException e) {
            replacement.release();
            throw e;
        }
        MemoryTable old = table;
        table = replacement;
        mapped = next;
        old.release();
    }
}
