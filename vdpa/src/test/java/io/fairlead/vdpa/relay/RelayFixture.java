package io.fairlead.vdpa.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A {@link TestDevice} behind a relay, and a guest; checks at its end that no descriptor and no mapping is left. */
abstract class RelayFixture {
    static final long SPLIT = Feature.VERSION_1;
    static final long PACKED = Feature.VERSION_1 | Feature.RING_PACKED;
    static final Set<Capability> ALL = EnumSet.complementOf(EnumSet.of(Capability.DIRTY_LOG));
    static final Set<Capability> ONLY_SUSPEND =
            EnumSet.of(Capability.SUSPEND, Capability.RESUME, Capability.QUEUE_STATE);
    static final Set<Capability> NOTHING = EnumSet.noneOf(Capability.class);
    static final Duration DEADLINE = Duration.ofSeconds(5);

    private long descriptorsBefore;
    private long mappingsBefore;
    private EventLoopGroup loops;
    TestDevice inner;
    RelayDevice relay;
    TestGuest guest;

    @BeforeEach
    void count() throws IOException {
        descriptorsBefore = Fd.openCount();
        mappingsBefore = Mapping.openCount();
        loops = new EventLoopGroup(2);
    }

    void start(Set<Capability> capabilities, long features, int size) throws IOException {
        start(capabilities, features, size, DEADLINE);
    }

    void start(Set<Capability> capabilities, long features, int size, Duration deadline) throws IOException {
        start(capabilities, features, size, deadline, null);
    }

    void start(
            Set<Capability> capabilities, long features, int size, Duration deadline, @Nullable Substitute substitute)
            throws IOException {
        inner = new TestDevice(nextLoop(), capabilities, 3);
        relay = new RelayDevice(inner, loops, deadline, substitute);
        guest = new TestGuest(relay, size);
        guest.start(features);
    }

    EventLoop nextLoop() {
        return loops.next();
    }

    @AfterEach
    void nothingLeft() throws IOException {
        if (relay != null) {
            relay.close();
            relay.close();
            guest.close();
        }
        loops.close();
        assertThat(Fd.openCount()).as("open descriptors").isEqualTo(descriptorsBefore);
        assertThat(Mapping.openCount()).as("open mappings").isEqualTo(mappingsBefore);
    }

    static SharedDirtyLog newLog() throws IOException {
        return SharedDirtyLog.create("test", TestGuest.BASE + TestGuest.BYTES);
    }

    static BitSet marked(SharedDirtyLog log) {
        BitSet pages = new BitSet();
        for (int i = 0; i < TestGuest.BYTES >> 12; i++) {
            pages.set(i, log.isMarked(TestGuest.BASE + ((long) i << 12)));
        }
        return pages;
    }

    /** Those of the pages whose bytes are not as they were. */
    BitSet changed(byte[] before, BitSet pages) {
        BitSet changed = new BitSet();
        MemorySegment old = MemorySegment.ofArray(before);
        pages.stream()
                .filter(page -> MemorySegment.mismatch(
                                old,
                                page * 4096L,
                                page * 4096L + 4096,
                                guest.whole.segment(),
                                page * 4096L,
                                page * 4096L + 4096)
                        >= 0)
                .forEach(changed::set);
        return changed;
    }
}
