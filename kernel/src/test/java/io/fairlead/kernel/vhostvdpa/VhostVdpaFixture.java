package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.EventFd;
import io.fairlead.linux.Memfd;
import io.fairlead.vdpa.MemoryRegion;
import io.fairlead.vdpa.MemoryTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** A device over a model of the kernel. */
final class VhostVdpaFixture implements AutoCloseable {
    static final long PAGE = 4096;
    static final Path PATH = Path.of("/dev/vhost-vdpa-of-a-test");

    final FakeKernel kernel;
    final FakeLimit limit = new FakeLimit();
    final DeviceWatch watch;
    final VhostVdpaControl control;
    final VhostVdpaDevice device;

    /** What a later open finds. */
    FakeKernel next;

    /** A limit of locked memory that counts what the model has mapped. */
    static final class FakeLimit implements PinLimit.Host {
        long limit = Long.MAX_VALUE;
        long hardLimit = Long.MAX_VALUE;
        long pinned;

        @Override
        public long limitBytes() {
            return limit;
        }

        @Override
        public long raise(long wantedBytes) {
            limit = Math.max(limit, Math.min(wantedBytes, hardLimit));
            return limit;
        }

        @Override
        public long pinnedBytes() {
            return pinned;
        }
    }

    VhostVdpaFixture(FakeKernel kernel) throws IOException {
        this(kernel, VhostVdpaSettings.of(PATH));
    }

    VhostVdpaFixture(FakeKernel kernel, VhostVdpaSettings settings) throws IOException {
        this.kernel = kernel;
        next = kernel;
        watch = new DeviceWatch();
        try {
            control = new VhostVdpaControl("test0", settings, path -> next, watch, new PinLimit(limit));
        } catch (IOException | RuntimeException e) {
            watch.close();
            throw e;
        }
        device = new VhostVdpaDevice(control);
    }

    /** A table of regions of a file each. */
    static MemoryTable table(long... addressesAndPages) throws IOException {
        MemoryRegion[] regions = new MemoryRegion[addressesAndPages.length / 2];
        for (int i = 0; i < regions.length; i++) {
            long byteCount = addressesAndPages[2 * i + 1] * PAGE;
            regions[i] = MemoryRegion.map(
                    Memfd.create("test", byteCount), 0, addressesAndPages[2 * i], addressesAndPages[2 * i], byteCount);
        }
        MemoryTable table = new MemoryTable(List.of(regions));
        Arrays.stream(regions).forEach(MemoryRegion::release);
        return table;
    }

    void memory(long... addressesAndPages) throws IOException {
        MemoryTable table = table(addressesAndPages);
        try {
            device.memory(table);
        } finally {
            table.release();
        }
    }

    /** Settles one queue of 16 entries, a page for each of its parts. */
    void prepare(int queue, long address) throws IOException {
        device.queueSize(queue, 16);
        device.queueAddresses(queue, address, address + PAGE, address + 2 * PAGE);
        device.queueKick(queue, EventFd.create("kick"));
        device.queueCall(queue, EventFd.create("call"));
    }

    @Override
    public void close() throws IOException {
        device.close();
        watch.close();
    }
}
