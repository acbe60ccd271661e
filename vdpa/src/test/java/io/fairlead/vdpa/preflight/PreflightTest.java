package io.fairlead.vdpa.preflight;

import static io.fairlead.vdpa.preflight.Verdict.Outcome.OK;
import static io.fairlead.vdpa.preflight.Verdict.Outcome.REFUSED;
import static io.fairlead.vdpa.preflight.Verdict.Outcome.WARNING;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.FsConfig;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.ScsiConfig;
import io.fairlead.virtio.VsockConfig;
import io.fairlead.virtio.parts.Octets;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PreflightTest {
    private static final long BLK = Feature.VERSION_1
            | Feature.RING_PACKED
            | BlkConfig.F_SIZE_MAX
            | BlkConfig.F_SEG_MAX
            | BlkConfig.F_GEOMETRY
            | BlkConfig.F_BLK_SIZE
            | BlkConfig.F_FLUSH
            | BlkConfig.F_TOPOLOGY
            | BlkConfig.F_CONFIG_WCE
            | BlkConfig.F_MQ
            | BlkConfig.F_DISCARD
            | BlkConfig.F_WRITE_ZEROES;
    private static final long NET = Feature.VERSION_1
            | NetConfig.F_MAC
            | NetConfig.F_MTU
            | NetConfig.F_MQ
            | NetConfig.F_STATUS
            | NetConfig.F_SPEED_DUPLEX;

    /** A profile that a test changes. */
    static final class Draft {
        int deviceId;
        long deviceFeatures;
        long driverFeatures;
        int queueCount = 2;
        int maxSize = 256;
        int sizeInUse = 128;
        byte[] config = {};
        Map<String, String> identity = new TreeMap<>();
        Set<String> capabilities =
                new TreeSet<>(List.of("DIRTY_LOG", "FREEZE", "INFLIGHT", "QUEUE_STATE", "QUEUE_STOP", "SUSPEND"));

        Draft(int deviceId, long features) {
            this.deviceId = deviceId;
            deviceFeatures = features;
            driverFeatures = features;
        }

        Draft set(ConfigField field, long value) {
            field.write(MemorySegment.ofArray(config), value);
            return this;
        }

        DeviceProfile profile() {
            return new DeviceProfile(
                    "d",
                    "",
                    deviceId,
                    deviceFeatures,
                    driverFeatures,
                    Collections.nCopies(queueCount, new DeviceProfile.Queue(maxSize, sizeInUse)),
                    Octets.of(config),
                    new TreeMap<>(identity),
                    new TreeSet<>(capabilities));
        }
    }

    private static Draft blk() {
        Draft draft = new Draft(DeviceId.BLOCK, BLK);
        draft.config = new byte[BlkConfig.BYTES];
        for (ConfigField field : BlkConfig.FIELDS) {
            draft.set(field, 100);
        }
        draft.identity.put("volume", "v1");
        return draft;
    }

    private static Draft net() {
        Draft draft = new Draft(DeviceId.NET, NET);
        draft.config = new byte[NetConfig.BYTES];
        return draft.set(NetConfig.MTU_BYTES, 1500).set(NetConfig.MAX_VIRTQUEUE_PAIRS, 1);
    }

    private static Draft control(int queueCount) {
        Draft draft = net();
        draft.queueCount = queueCount;
        draft.deviceFeatures |= NetConfig.F_CTRL_VQ;
        draft.driverFeatures |= NetConfig.F_CTRL_VQ;
        return draft;
    }

    private static Draft fs() {
        Draft draft = new Draft(DeviceId.FS, Feature.VERSION_1);
        draft.config = new byte[FsConfig.BYTES];
        byte[] tag = "home".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(tag, 0, draft.config, 0, tag.length);
        draft.set(FsConfig.NUM_REQUEST_QUEUES, 1);
        draft.identity.put("export", "e1");
        return draft;
    }

    private static Draft scsi() {
        Draft draft = new Draft(DeviceId.SCSI, Feature.VERSION_1);
        draft.config = new byte[ScsiConfig.BYTES];
        ScsiConfig.FIELDS.forEach(field -> draft.set(field, 100));
        draft.identity.put("volume", "v1");
        return draft;
    }

    private static List<Verdict> compare(Draft source, Draft destination) {
        return Preflight.compare(source.profile(), destination.profile());
    }

    private static Verdict verdict(List<Verdict> verdicts, String field) {
        List<Verdict> found = verdicts.stream()
                .filter(verdict -> verdict.field().equals(field))
                .toList();
        assertThat(found).as("one verdict on %s in %s", field, verdicts).hasSize(1);
        return found.getFirst();
    }

    /** What a change of the destination does to one field and to no other. */
    record Case(String name, Draft source, Draft destination, String field, Verdict.Outcome outcome) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static Case field(Draft source, Draft destination, ConfigField field, long value, Verdict.Outcome outcome) {
        destination.set(field, value);
        return new Case(
                "%s %d is %s".formatted(field.name(), value, outcome), source, destination, field.name(), outcome);
    }

    static List<Case> fieldCases() {
        List<Case> cases = new ArrayList<>();
        cases.add(field(blk(), blk(), BlkConfig.CAPACITY_SECTORS, 99, REFUSED));
        cases.add(field(blk(), blk(), BlkConfig.CAPACITY_SECTORS, 101, WARNING));
        for (ConfigField field :
                List.of(BlkConfig.BLOCK_SIZE_BYTES, BlkConfig.PHYSICAL_BLOCK_EXP, BlkConfig.ALIGNMENT_OFFSET_BLOCKS)) {
            cases.add(field(blk(), blk(), field, 99, REFUSED));
            cases.add(field(blk(), blk(), field, 101, REFUSED));
        }
        for (ConfigField field : List.of(
                BlkConfig.SIZE_MAX_BYTES,
                BlkConfig.SEG_MAX,
                BlkConfig.MAX_DISCARD_SECTORS,
                BlkConfig.MAX_DISCARD_SEGMENTS,
                BlkConfig.MAX_WRITE_ZEROES_SECTORS,
                BlkConfig.MAX_WRITE_ZEROES_SEGMENTS)) {
            cases.add(field(blk(), blk(), field, 99, REFUSED));
            cases.add(field(blk(), blk(), field, 101, OK));
        }
        Draft noLimit = blk().set(BlkConfig.SIZE_MAX_BYTES, 0);
        cases.add(field(blk(), blk(), BlkConfig.SIZE_MAX_BYTES, 0, OK));
        cases.add(field(noLimit, blk(), BlkConfig.SIZE_MAX_BYTES, 65536, REFUSED));
        cases.add(field(noLimit, blk(), BlkConfig.SIZE_MAX_BYTES, 0, OK));
        cases.add(field(blk(), blk(), BlkConfig.HEADS, 99, WARNING));
        cases.add(field(blk(), blk(), BlkConfig.MIN_IO_BLOCKS, 99, WARNING));
        cases.add(field(blk(), blk(), BlkConfig.OPT_IO_BLOCKS, 0, WARNING));
        cases.add(field(blk(), blk(), BlkConfig.DISCARD_ALIGNMENT_SECTORS, 8, WARNING));
        cases.add(field(net(), net(), NetConfig.MTU_BYTES, 1499, REFUSED));
        cases.add(field(net(), net(), NetConfig.MTU_BYTES, 9000, OK));
        cases.add(field(net(), net(), NetConfig.MAX_VIRTQUEUE_PAIRS, 2, REFUSED));
        cases.add(field(net(), net(), NetConfig.SPEED_MEGABITS, 10, WARNING));
        cases.add(field(fs(), fs(), FsConfig.NUM_REQUEST_QUEUES, 2, REFUSED));
        cases.add(field(scsi(), scsi(), ScsiConfig.MAX_LUN, 99, REFUSED));
        cases.add(field(scsi(), scsi(), ScsiConfig.SEG_MAX, 101, OK));
        cases.add(field(scsi(), scsi(), ScsiConfig.CMD_PER_LUN, 1, WARNING));
        Draft vsock = new Draft(DeviceId.VSOCK, Feature.VERSION_1);
        vsock.config = new byte[VsockConfig.BYTES];
        Draft otherVsock = new Draft(DeviceId.VSOCK, Feature.VERSION_1);
        otherVsock.config = new byte[VsockConfig.BYTES];
        cases.add(field(vsock, otherVsock, VsockConfig.GUEST_CID, 7, REFUSED));
        Draft mac = net();
        mac.config[5] = 1;
        cases.add(new Case("another MAC", net(), mac, "mac", REFUSED));
        Draft tag = fs();
        tag.config[0] = 'H';
        cases.add(new Case("another tag", fs(), tag, "tag", REFUSED));
        return cases;
    }

    static List<Case> deviceCases() {
        List<Case> cases = new ArrayList<>();
        Draft fewer = blk();
        fewer.queueCount = 1;
        cases.add(new Case("fewer queues", blk(), fewer, "queue count", REFUSED));
        Draft more = blk();
        more.queueCount = 3;
        cases.add(new Case("more queues", blk(), more, "queue count", OK));
        Draft moreNet = net();
        moreNet.queueCount = 3;
        cases.add(new Case("more queues of a NIC", control(2), control(3), "queue count", REFUSED));
        cases.add(new Case("more queues of a NIC without control queue", net(), moreNet, "queue count", OK));
        cases.add(new Case("fewer queues of a NIC than it uses", moreNet, net(), "queue count", REFUSED));
        Draft unknownNet = net();
        unknownNet.driverFeatures = 0;
        cases.add(new Case("more queues of a NIC without driver", unknownNet, moreNet, "queue count", REFUSED));
        Draft small = blk();
        small.maxSize = 64;
        small.sizeInUse = 0;
        cases.add(new Case("smaller ring", blk(), small, "queue size", REFUSED));
        Draft idle = blk();
        idle.sizeInUse = 0;
        cases.add(new Case("smaller ring, not in use", idle, small, "queue size", OK));
        Draft split = blk();
        split.deviceFeatures &= ~Feature.RING_PACKED;
        Draft driverSplit = blk();
        driverSplit.driverFeatures &= ~Feature.RING_PACKED;
        cases.add(new Case("split for split", driverSplit, split, "ring layout", OK));
        cases.add(new Case("unused feature gone", driverSplit, split, "offered features", WARNING));
        Draft readOnly = blk();
        readOnly.deviceFeatures |= BlkConfig.F_RO;
        cases.add(new Case("read-only", blk(), readOnly, "read only", REFUSED));
        Draft otherVolume = blk();
        otherVolume.identity.put("volume", "v2");
        cases.add(new Case("another volume", blk(), otherVolume, "volume", REFUSED));
        Draft unknown = blk();
        unknown.identity.clear();
        cases.add(new Case("volume unknown there", blk(), unknown, "volume", REFUSED));
        cases.add(new Case("volume unknown here", unknown, blk(), "volume", REFUSED));
        cases.add(new Case("volume unknown at both", unknown, unknown, "volume", REFUSED));
        Draft otherExport = fs();
        otherExport.identity.put("export", "e2");
        cases.add(new Case("another export", fs(), otherExport, "export", REFUSED));
        // Other daemons' devices do not say what they export.
        Draft otherDaemon = fs();
        otherDaemon.identity.clear();
        cases.add(new Case("a file system to another daemon", fs(), otherDaemon, "export", REFUSED));
        cases.add(new Case("a file system from another daemon", otherDaemon, fs(), "export", REFUSED));
        Draft streaming = net();
        streaming.capabilities.add("STREAM_STATE");
        cases.add(new Case("a card's state is sent and not read", streaming, net(), "device state", REFUSED));
        cases.add(new Case("a card's state is not sent", net(), streaming, "device state", OK));
        Draft serial = blk();
        serial.identity.put("serial", "s1");
        cases.add(new Case("serial known to one", serial, blk(), "serial", WARNING));
        Draft otherSerial = blk();
        otherSerial.identity.put("serial", "s2");
        cases.add(new Case("another serial", serial, otherSerial, "serial", REFUSED));
        Draft cached = blk();
        cached.identity.put("cache", "page cache of host 1");
        cases.add(new Case("one page cache", cached, cached, "cache", OK));
        Draft otherCache = blk();
        otherCache.identity.put("cache", "page cache of host 2");
        cases.add(new Case("another page cache", cached, otherCache, "cache", REFUSED));
        Draft direct = blk();
        direct.identity.put("cache", "none");
        cases.add(new Case("past page caches", direct, direct, "cache", OK));
        cases.add(new Case("from a page cache", cached, direct, "cache", REFUSED));
        cases.add(new Case("page cache unknown there", direct, blk(), "cache", WARNING));
        Draft noInflight = blk();
        noInflight.capabilities.remove("INFLIGHT");
        cases.add(new Case("cannot take requests up", blk(), noInflight, "quiesce", WARNING));
        Draft rng = new Draft(77, Feature.VERSION_1);
        rng.config = new byte[] {1};
        Draft otherRng = new Draft(77, Feature.VERSION_1);
        otherRng.config = new byte[] {2};
        cases.add(new Case("unknown type, other bytes", rng, otherRng, "configuration space", REFUSED));
        return cases;
    }

    @ParameterizedTest
    @MethodSource({"fieldCases", "deviceCases"})
    void oneDifferenceIsJudgedAndNothingElse(Case one) {
        List<Verdict> verdicts = compare(one.source(), one.destination());
        Verdict verdict = verdict(verdicts, one.field());
        assertThat(verdict.outcome()).isEqualTo(one.outcome());
        assertThat(verdict.reason()).isNotEmpty();
        if (verdict.outcome() == REFUSED) {
            assertThat(verdict.remedy()).isNotEmpty();
        }
        assertThat(verdicts)
                .filteredOn(other -> !other.equals(verdict))
                .allSatisfy(other -> assertThat(other.outcome()).isNotEqualTo(REFUSED));
        assertThat(Preflight.isRefused(verdicts)).isEqualTo(one.outcome() == REFUSED);
    }

    static List<Draft> drafts() {
        return List.of(blk(), net(), fs(), scsi());
    }

    @ParameterizedTest
    @MethodSource("drafts")
    void aDeviceMayMoveToItsEqual(Draft draft) {
        assertThat(compare(draft, draft)).isNotEmpty().allSatisfy(verdict -> {
            assertThat(verdict.outcome()).as(verdict.toString()).isEqualTo(OK);
            assertThat(verdict.remedy()).isEmpty();
        });
    }

    @Test
    void anotherTypeIsRefusedAtOnce() {
        List<Verdict> verdicts = compare(blk(), net());
        assertThat(verdicts).hasSize(1);
        assertThat(verdicts.getFirst().outcome()).isEqualTo(REFUSED);
        assertThat(verdicts.getFirst().sourceValue()).isEqualTo("block (2)");
    }

    @Test
    void missingFeaturesAreNamed() {
        Draft poor = blk();
        poor.deviceFeatures &= ~(Feature.RING_PACKED | BlkConfig.F_DISCARD);
        List<Verdict> verdicts = compare(blk(), poor);
        Verdict features = verdict(verdicts, "driver features");
        assertThat(features.outcome()).isEqualTo(REFUSED);
        assertThat(features.reason()).contains("DISCARD, RING_PACKED");
        Verdict layout = verdict(verdicts, "ring layout");
        assertThat(layout.outcome()).isEqualTo(REFUSED);
        assertThat(layout.sourceValue()).isEqualTo("packed");
        assertThat(layout.destinationValue()).isEqualTo("split");
    }

    @Test
    void fieldsThatTheDriverDoesNotKnowAreNotLookedAt() {
        Draft without = blk();
        without.driverFeatures &= ~BlkConfig.F_DISCARD;
        Draft other = blk().set(BlkConfig.MAX_DISCARD_SECTORS, 0);
        assertThat(compare(without, other))
                .noneMatch(verdict -> verdict.field().startsWith("max_discard"))
                .noneMatch(verdict -> verdict.outcome() == REFUSED);
    }

    @Test
    void aConfigurationSpaceThatEndsBeforeAFieldDoesNotHaveIt() {
        Draft shortOne = blk();
        shortOne.config = Arrays.copyOf(shortOne.config, 36);
        Verdict verdict = verdict(compare(blk(), shortOne), "max_discard_sectors");
        assertThat(verdict.outcome()).isEqualTo(REFUSED);
        assertThat(verdict.destinationValue()).isEqualTo("none");
    }

    @Test
    void quiesceModeAndDirtyTrackingFollowTheCapabilities() {
        Draft all = blk();
        Draft nothing = blk();
        nothing.capabilities.clear();
        Draft plain = blk();
        plain.capabilities = new TreeSet<>(List.of("QUEUE_STOP", "QUEUE_STATE"));
        assertThat(Preflight.quiesceMode(all.profile(), all.profile())).isEqualTo(Preflight.QuiesceMode.FREEZE);
        assertThat(Preflight.quiesceMode(all.profile(), plain.profile())).isEqualTo(Preflight.QuiesceMode.DRAIN);
        assertThat(Preflight.quiesceMode(plain.profile(), all.profile())).isEqualTo(Preflight.QuiesceMode.DRAIN);
        assertThat(Preflight.quiesceMode(nothing.profile(), all.profile()))
                .isEqualTo(Preflight.QuiesceMode.DRAIN_AND_RESET);
        assertThat(verdict(compare(plain, all), "dirty tracking").reason()).contains("relay");
        assertThat(verdict(compare(all, plain), "dirty tracking").reason()).contains("marks the pages");
    }

    @Test
    void valuesAreShownAsPeopleReadThem() {
        Draft draft = net();
        byte[] mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
        System.arraycopy(mac, 0, draft.config, 0, mac.length);
        assertThat(verdict(compare(draft, draft), "mac").sourceValue()).isEqualTo("52:54:00:12:34:56");
        assertThat(verdict(compare(fs(), fs()), "tag").sourceValue()).isEqualTo("home");
    }
}
