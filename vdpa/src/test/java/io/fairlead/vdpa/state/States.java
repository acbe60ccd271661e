package io.fairlead.vdpa.state;

import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.DevicePart;
import io.fairlead.virtio.parts.DeviceParts;
import io.fairlead.virtio.parts.Octets;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/** States that tests, golden files and documentation share. */
final class States {
    static final UUID DEVICE = UUID.fromString("6f2c1a52-97a1-4b0e-9d1c-0c6f3f6a7e11");

    private static final int RUNNING =
            DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK;
    private static final long BLK_FEATURES = Feature.VERSION_1
            | Feature.RING_PACKED
            | Feature.EVENT_IDX
            | Feature.INDIRECT_DESC
            | BlkConfig.F_SEG_MAX
            | BlkConfig.F_BLK_SIZE
            | BlkConfig.F_FLUSH
            | BlkConfig.F_TOPOLOGY
            | BlkConfig.F_CONFIG_WCE
            | BlkConfig.F_MQ;

    private States() {}

    /** All by the names of their golden files. */
    static Map<String, DeviceState> all() throws StateFormatException {
        Map<String, DeviceState> states = new TreeMap<>();
        states.put("blk-split-drained", blkSplit());
        states.put("blk-split-inflight", blkSplitInflight());
        states.put("blk-packed-inflight", blkPackedInflight());
        states.put("blk-provisional", blkProvisional());
        states.put("net-with-unknown-section", net());
        return states;
    }

    static DeviceState blkSplit() throws StateFormatException {
        return state(
                blk(false, 2),
                List.of(
                        new Section.QueueRun(0, new QueueState.Split(1000, 1000)),
                        new Section.QueueRun(1, new QueueState.Split(2, 2))),
                List.of());
    }

    static DeviceState blkSplitInflight() throws StateFormatException {
        return state(
                blk(false, 2),
                List.of(
                        // Across the wrap of the 16-bit index.
                        new Section.QueueRun(0, new QueueState.Split(1, 0xfffe)),
                        new Section.QueueRun(1, new QueueState.Split(77, 77))),
                List.of(new Section.QueueInflight(0, new InflightRequests.Split(List.of(5, 0, 127)))));
    }

    static DeviceState blkPackedInflight() throws StateFormatException {
        InflightRequests.Chain read = new InflightRequests.Chain(List.of(
                new InflightRequests.Descriptor(0x10000, 16, 0, RingLayout.NEXT),
                new InflightRequests.Descriptor(0x20000, 4096, 0, RingLayout.NEXT | RingLayout.WRITE),
                new InflightRequests.Descriptor(0x30000, 1, 9, RingLayout.WRITE)));
        InflightRequests.Chain indirect = new InflightRequests.Chain(
                List.of(new InflightRequests.Descriptor(0x40000, 48, 3, RingLayout.INDIRECT)));
        return state(
                blk(true, 2),
                List.of(
                        // Across the end of the ring, where the wrap counter turns.
                        new Section.QueueRun(0, new QueueState.Packed(2, false, 126, true)),
                        new Section.QueueRun(1, new QueueState.Packed(0, true, 0, true))),
                List.of(new Section.QueueInflight(0, new InflightRequests.Packed(List.of(read, indirect)))));
    }

    static DeviceState blkProvisional() throws StateFormatException {
        return DeviceState.of(new StateHeader(false, 0, DeviceId.BLOCK, DEVICE), sections(blk(false, 2)));
    }

    static DeviceState net() throws StateFormatException {
        long features =
                Feature.VERSION_1 | NetConfig.F_MAC | NetConfig.F_MTU | NetConfig.F_STATUS | NetConfig.F_CTRL_VQ;
        byte[] config = new byte[NetConfig.BYTES];
        byte[] mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
        System.arraycopy(mac, 0, config, 0, mac.length);
        MemorySegment fields = MemorySegment.ofArray(config);
        NetConfig.STATUS.write(fields, NetConfig.STATUS_LINK_UP);
        NetConfig.MTU_BYTES.write(fields, 1500);
        DeviceProfile profile = new DeviceProfile(
                "nic0",
                "example",
                DeviceId.NET,
                features,
                features,
                List.of(queue(256), queue(256), new DeviceProfile.Queue(64, 0)),
                Octets.of(config),
                new TreeMap<>(Map.of("mac", "52:54:00:12:34:56")),
                new TreeSet<>(List.of("QUEUE_STATE", "QUEUE_STOP")));
        List<Section> sections = new ArrayList<>(sections(profile));
        sections.add(
                1,
                new Section.QueueRuns(List.of(
                        new Section.QueueRun(0, new QueueState.Split(3, 3)),
                        new Section.QueueRun(1, new QueueState.Split(65535, 65535)))));
        sections.add(3, new Section.ControlState(List.of(new ControlCommand(0, 1, Octets.of((byte) 1)))));
        sections.add(5, new Section.Vendor("example", "2.1", Octets.of((byte) 0xde, (byte) 0xad)));
        sections.add(new Section.Unknown(0x7001, 3, Octets.of((byte) 1, (byte) 2, (byte) 3)));
        return DeviceState.of(new StateHeader(true, 7, DeviceId.NET, DEVICE), sections);
    }

    private static DeviceProfile.Queue queue(int size) {
        return new DeviceProfile.Queue(size, size);
    }

    /** A disk of 64 MiB with queues of 128 entries. */
    static DeviceProfile blk(boolean packed, int queueCount) {
        byte[] config = new byte[BlkConfig.BYTES];
        MemorySegment fields = MemorySegment.ofArray(config);
        BlkConfig.CAPACITY_SECTORS.write(fields, 131072);
        BlkConfig.SEG_MAX.write(fields, 126);
        BlkConfig.BLOCK_SIZE_BYTES.write(fields, 512);
        BlkConfig.WRITEBACK.write(fields, 1);
        BlkConfig.NUM_QUEUES.write(fields, queueCount);
        List<DeviceProfile.Queue> queues = new ArrayList<>();
        for (int i = 0; i < queueCount; i++) {
            queues.add(queue(128));
        }
        return new DeviceProfile(
                "disk0",
                "",
                DeviceId.BLOCK,
                BLK_FEATURES,
                packed ? BLK_FEATURES : BLK_FEATURES & ~Feature.RING_PACKED,
                queues,
                Octets.of(config),
                new TreeMap<>(Map.of("serial", "d0", "volume", "volume-1")),
                new TreeSet<>(
                        List.of("DIRTY_LOG", "FREEZE", "INFLIGHT", "QUEUE_STATE", "QUEUE_STOP", "RESUME", "SUSPEND")));
    }

    static DeviceState state(DeviceProfile profile, List<Section.QueueRun> runs, List<Section.QueueInflight> inflight)
            throws StateFormatException {
        List<Section> sections = new ArrayList<>(sections(profile));
        sections.add(1, new Section.QueueRuns(runs));
        if (!inflight.isEmpty()) {
            sections.add(3, new Section.Inflight(inflight));
        }
        return DeviceState.of(new StateHeader(true, 1, profile.deviceId(), DEVICE), sections);
    }

    /** What every state has. */
    static List<Section> sections(DeviceProfile profile) {
        List<DevicePart> parts = new ArrayList<>();
        parts.add(new DevicePart.DeviceFeatures(List.of(profile.deviceFeatures())));
        parts.add(new DevicePart.DriverFeatures(List.of(profile.driverFeatures())));
        parts.add(new DevicePart.Status(RUNNING));
        List<Section.QueueCounters> counters = new ArrayList<>();
        for (int i = 0; i < profile.queues().size(); i++) {
            int size = profile.queues().get(i).sizeInUse();
            long rings = 0x100000L * (i + 1);
            parts.add(new DevicePart.QueueConfiguration(
                    i,
                    size,
                    DevicePart.NO_VECTOR,
                    size != 0,
                    size != 0 ? rings : 0,
                    size != 0 ? rings + 0x4000 : 0,
                    size != 0 ? rings + 0x8000 : 0));
            counters.add(new Section.QueueCounters(10, 20, 1000L + i, 1, 4096000, 8192000, 0));
        }
        return List.of(
                new Section.Parts(new DeviceParts(parts)),
                new Section.DeviceConfiguration(
                        profile.config(),
                        4,
                        DriverWritten.mask(
                                profile.deviceId(),
                                profile.driverFeatures(),
                                profile.config().size())),
                new Section.Identity(profile.identity()),
                new Section.Caps(profile),
                new Section.Statistics(counters));
    }
}
