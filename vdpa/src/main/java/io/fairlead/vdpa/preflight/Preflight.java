package io.fairlead.vdpa.preflight;

import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.FeatureTable;
import io.fairlead.virtio.NetConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Whether a machine with one device may go on with another: one verdict a field. It looks at profiles alone and changes
 * nothing.
 */
public final class Preflight {
    /** How the source's device will stop. */
    public enum QuiesceMode {
        /** At once; what is in flight is carried over. */
        FREEZE,
        /** After all that is in flight. */
        DRAIN,
        /** After all that is in flight, behind a relay, and then reset: devices that cannot tell where they stand. */
        DRAIN_AND_RESET
    }

    /** Of the identity: whose page cache what is stored may be in. */
    private static final String CACHE = "cache";

    private static final String NO_CACHE = "none";

    private final DeviceProfile source;
    private final DeviceProfile destination;
    private final TypeChecks checks;
    private final List<Verdict> verdicts = new ArrayList<>();

    private Preflight(DeviceProfile source, DeviceProfile destination) {
        this.source = source;
        this.destination = destination;
        checks = TypeChecks.of(source);
    }

    /** One verdict for each field that the two devices have to agree on; with a REFUSED among them nothing may begin. */
    public static List<Verdict> compare(DeviceProfile source, DeviceProfile destination) {
        Preflight preflight = new Preflight(source, destination);
        preflight.deviceId();
        if (source.deviceId() == destination.deviceId()) {
            preflight.all();
        }
        return List.copyOf(preflight.verdicts);
    }

    public static boolean isRefused(List<Verdict> verdicts) {
        return verdicts.stream().anyMatch(verdict -> verdict.outcome() == Verdict.Outcome.REFUSED);
    }

    /** How the source will stop for this destination. */
    public static QuiesceMode quiesceMode(DeviceProfile source, DeviceProfile destination) {
        if (source.can(Capability.FREEZE) && destination.can(Capability.INFLIGHT)) {
            return QuiesceMode.FREEZE;
        }
        boolean stops = source.can(Capability.QUEUE_STOP) || source.can(Capability.SUSPEND);
        return stops && source.can(Capability.QUEUE_STATE) ? QuiesceMode.DRAIN : QuiesceMode.DRAIN_AND_RESET;
    }

    private void all() {
        features();
        offeredFeatures();
        ringLayout();
        queueCount();
        queueSize();
        if (source.deviceId() == DeviceId.BLOCK) {
            readOnly();
        }
        checks.fields().forEach(rule -> rule.check(source, destination).ifPresent(verdicts::add));
        if (ConfigField.of(source.deviceId()).isEmpty()) {
            wholeConfig();
        }
        identity();
        cache();
        if (source.deviceId() == DeviceId.NET) {
            streamState();
        }
        dirtyTracking();
        quiesce();
    }

    private void add(
            String field, boolean ok, Verdict.Outcome otherwise, String a, String b, String reason, String remedy) {
        verdicts.add(new Verdict(field, ok ? Verdict.Outcome.OK : otherwise, a, b, reason, ok ? "" : remedy));
    }

    private void deviceId() {
        boolean equal = source.deviceId() == destination.deviceId();
        add(
                "device id",
                equal,
                Verdict.Outcome.REFUSED,
                "%s (%d)".formatted(source.type(), source.deviceId()),
                "%s (%d)".formatted(destination.type(), destination.deviceId()),
                equal ? "equal" : "a machine's device cannot become one of another type",
                "choose a destination of type " + source.type());
    }

    private void features() {
        FeatureTable table = FeatureTable.of(source.deviceId());
        long missing = source.driverFeatures() & ~destination.deviceFeatures();
        String reason = missing != 0
                ? "the driver uses what the destination does not offer: " + table.describe(missing)
                : source.driverFeatures() == 0
                        ? "no driver has taken any yet"
                        : "the destination offers all that the driver uses";
        add(
                "driver features",
                missing == 0,
                Verdict.Outcome.REFUSED,
                table.describe(source.driverFeatures()),
                table.describe(destination.deviceFeatures()),
                reason,
                "start the machine with these features off (QEMU: a device property each), or use a destination that"
                        + " offers them");
    }

    private void offeredFeatures() {
        FeatureTable table = FeatureTable.of(source.deviceId());
        long missing = source.deviceFeatures() & ~destination.deviceFeatures() & ~source.driverFeatures();
        add(
                "offered features",
                missing == 0,
                Verdict.Outcome.WARNING,
                table.describe(source.deviceFeatures()),
                table.describe(destination.deviceFeatures()),
                missing == 0
                        ? "the destination offers all that the source does"
                        : "the driver does not use them, but would miss them after a reset: " + table.describe(missing),
                "switch them off at the source, or use a destination that offers them");
    }

    private void ringLayout() {
        boolean served = !source.isPacked() || Feature.has(destination.deviceFeatures(), Feature.RING_PACKED);
        add(
                "ring layout",
                served,
                Verdict.Outcome.REFUSED,
                source.isPacked() ? "packed" : "split",
                Feature.has(destination.deviceFeatures(), Feature.RING_PACKED) ? "split, packed" : "split",
                served ? "the destination serves the layout in use" : "the destination serves no packed rings",
                "start the machine with packed=off");
    }

    private void queueCount() {
        int has = source.queues().size();
        int offered = destination.queues().size();
        if (isControlQueueElsewhere()) {
            int used = queuesInUse();
            add(
                    "queue count",
                    offered >= used,
                    Verdict.Outcome.REFUSED,
                    "%d, of which %d are used".formatted(has, used),
                    Integer.toString(offered),
                    offered >= used
                            ? "the destination has those that the driver uses; its control queue is kept by the front-end"
                            : "the destination has fewer queues than the driver uses",
                    "give the destination %d queues".formatted(used));
            return;
        }
        boolean fits = checks.queueCountEqual() ? offered == has : offered >= has;
        add(
                "queue count",
                fits,
                Verdict.Outcome.REFUSED,
                Integer.toString(has),
                Integer.toString(offered),
                fits
                        ? (offered == has ? "equal" : "the destination has more than the driver uses")
                        : checks.queueCountEqual()
                                ? "for this type it has to be equal"
                                : "the destination has fewer queues",
                "give the destination %d queues".formatted(has));
    }

    /** As of QEMU's vhost-user network cards: no queue of the device follows those whose number may differ. */
    private boolean isControlQueueElsewhere() {
        return source.deviceId() == DeviceId.NET
                && source.driverFeatures() != 0
                && !Feature.has(source.driverFeatures(), NetConfig.F_CTRL_VQ);
    }

    private int queuesInUse() {
        int used = 0;
        for (int i = 0; i < source.queues().size(); i++) {
            if (source.queues().get(i).sizeInUse() > 0) {
                used = i + 1;
            }
        }
        return used;
    }

    private void queueSize() {
        int shared = Math.min(source.queues().size(), destination.queues().size());
        for (int i = 0; i < shared; i++) {
            int inUse = source.queues().get(i).sizeInUse();
            int max = destination.queues().get(i).maxSize();
            if (inUse > max) {
                add(
                        "queue size",
                        false,
                        Verdict.Outcome.REFUSED,
                        Integer.toString(inUse),
                        "at most " + max,
                        "queue %d is larger than the destination allows".formatted(i),
                        "give the destination queues of %d entries, or start the machine with smaller ones"
                                .formatted(inUse));
                return;
            }
        }
        int inUse = source.queues().stream()
                .limit(shared)
                .mapToInt(DeviceProfile.Queue::sizeInUse)
                .max()
                .orElse(0);
        int max = destination.queues().stream()
                .limit(shared)
                .mapToInt(DeviceProfile.Queue::maxSize)
                .min()
                .orElse(0);
        add(
                "queue size",
                true,
                Verdict.Outcome.OK,
                inUse == 0 ? "none in use" : "at most " + inUse,
                "at most " + max,
                "the destination's queues are large enough",
                "");
    }

    private void readOnly() {
        boolean before = Feature.has(source.deviceFeatures(), BlkConfig.F_RO);
        boolean after = Feature.has(destination.deviceFeatures(), BlkConfig.F_RO);
        add(
                "read only",
                before == after,
                Verdict.Outcome.REFUSED,
                before ? "yes" : "no",
                after ? "yes" : "no",
                before == after ? "equal" : "the guest would find its writes refused, or its protection gone",
                before ? "serve the destination read-only" : "serve the destination for writing");
    }

    /** A type whose configuration space nobody here can read. */
    private void wholeConfig() {
        boolean equal = source.config().equals(destination.config());
        add(
                "configuration space",
                equal,
                Verdict.Outcome.REFUSED,
                source.config().toString(),
                destination.config().toString(),
                equal ? "equal" : "its meaning is unknown here and so it has to be equal",
                "create the destination with the source's configuration");
    }

    private void identity() {
        Set<String> keys = new TreeSet<>(source.identity().keySet());
        keys.addAll(destination.identity().keySet());
        keys.addAll(checks.vitalIdentity());
        keys.remove(CACHE);
        if (source.deviceId() == DeviceId.SCSI && ScsiUnitChecks.apply(source, destination)) {
            verdicts.addAll(ScsiUnitChecks.compare(source, destination));
            keys.removeAll(checks.vitalIdentity());
            keys.removeIf(UnitProfile::isKey);
        }
        for (String key : keys) {
            String here = source.identity(key);
            String there = destination.identity(key);
            boolean vital = checks.vitalIdentity().contains(key);
            boolean unknown = here.isEmpty() || there.isEmpty();
            String reason;
            if (unknown) {
                String who = here.isEmpty() ? (there.isEmpty() ? "neither side" : "the source") : "the destination";
                reason = here.isEmpty() == there.isEmpty() && !vital
                        ? "known to neither side"
                        : who + (who.startsWith("neither") ? " knows" : " does not know") + " what it stands for";
            } else {
                reason = here.equals(there) ? "equal" : "it is another %s".formatted(key);
            }
            add(
                    key,
                    unknown ? !vital && here.equals(there) : here.equals(there),
                    unknown && !vital ? Verdict.Outcome.WARNING : Verdict.Outcome.REFUSED,
                    here.isEmpty() ? "unknown" : here,
                    there.isEmpty() ? "unknown" : there,
                    reason,
                    unknown ? unknownRemedy(key) : "choose the destination that stands for the same %s".formatted(key));
        }
    }

    private String unknownRemedy(String key) {
        return source.deviceId() == DeviceId.FS && checks.vitalIdentity().contains(key)
                ? FsChecks.EXPORT_REMEDY
                : "say what it is: %s=ID, the same at both sides".formatted(key);
    }

    /** What one host has in its page cache another one does not see, nor that its own has become old. */
    private void cache() {
        String here = source.identity(CACHE);
        String there = destination.identity(CACHE);
        boolean unknown = here.isEmpty() || there.isEmpty();
        if (here.isEmpty() && there.isEmpty()) {
            return;
        }
        boolean equal = here.equals(there);
        String reason = unknown
                ? "whether %s has data in its host's page cache is unknown"
                        .formatted(here.isEmpty() ? "the source" : "the destination")
                : !equal
                        ? "what one host has in its page cache the other does not see"
                        : here.equals(NO_CACHE)
                                ? "neither host has data in its page cache"
                                : "both use the page cache of the same host";
        add(
                CACHE,
                equal,
                unknown ? Verdict.Outcome.WARNING : Verdict.Outcome.REFUSED,
                here.isEmpty() ? "unknown" : here,
                there.isEmpty() ? "unknown" : there,
                reason,
                "serve both sides past the page cache (direct=on; qemu-storage-daemon: cache.direct=on)");
    }

    /** QEMU has a network card's stream read by a back-end of the same kind or by none. */
    private void streamState() {
        boolean sent = source.can(Capability.STREAM_STATE);
        boolean read = destination.can(Capability.STREAM_STATE);
        add(
                "device state",
                !sent || read,
                Verdict.Outcome.REFUSED,
                sent ? "goes in QEMU's stream, too" : "not in QEMU's stream",
                read ? "is read from QEMU's stream" : "cannot be read from QEMU's stream",
                sent && !read
                        ? "QEMU would not load the machine at a device that reads no state from its stream"
                        : sent ? "the destination reads what the source sends" : "QEMU's stream has none to be read",
                "serve the destination without device-state=off; where it has none, serve the source with"
                        + " device-state=off before the machine starts");
    }

    private void dirtyTracking() {
        boolean marks = source.can(Capability.DIRTY_LOG);
        add(
                "dirty tracking",
                true,
                Verdict.Outcome.OK,
                marks ? "device" : "relay",
                destination.can(Capability.DIRTY_LOG) ? "device" : "relay",
                marks
                        ? "the source marks the pages of %d bytes that it writes".formatted(SharedDirtyLog.PAGE_BYTES)
                        : "the source cannot mark pages: a relay stands before it during the migration",
                "");
    }

    private void quiesce() {
        QuiesceMode mode = quiesceMode(source, destination);
        boolean losesFreeze = source.can(Capability.FREEZE) && mode != QuiesceMode.FREEZE;
        String reason = switch (mode) {
            case FREEZE -> "stops at once; requests in flight are carried over";
            case DRAIN ->
                losesFreeze
                        ? "the destination cannot take up requests in flight: the source waits for them, and"
                                + " slow ones stretch the downtime"
                        : "waits for requests in flight";
            case DRAIN_AND_RESET -> "waits for requests in flight behind a relay and resets the device";
        };
        add(
                "quiesce",
                !losesFreeze,
                Verdict.Outcome.WARNING,
                mode.name(),
                destination.can(Capability.INFLIGHT) ? "takes requests in flight" : "takes none in flight",
                reason,
                "use a destination that can take up requests in flight");
    }
}
