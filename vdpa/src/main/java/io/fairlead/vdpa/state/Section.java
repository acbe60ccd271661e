package io.fairlead.vdpa.state;

import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.DeviceParts;
import io.fairlead.virtio.parts.Octets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** One section of a device state. Immutable; each kind stands in a state at most once. */
public sealed interface Section {
    int PARTS = 1;
    int VQ_RUN = 2;
    int DEV_CFG = 3;
    int INFLIGHT = 4;
    int COMPLETED = 5;
    int CVQ = 6;
    int IDENTITY = 7;
    int VENDOR = 8;
    int CAPS = 9;
    int STATS = 10;
    int TYPE = 11;

    /** The number that the format has for it. */
    int kind();

    /** Whether one who does not know it may go on without it. */
    default boolean optional() {
        return false;
    }

    /** The version of its layout. */
    default int version() {
        return 1;
    }

    /** The kind's name, such as {@code VQ_RUN}. */
    default String name() {
        return name(kind());
    }

    /** The name of a kind, {@code kind 77} for one without. */
    static String name(int kind) {
        return switch (kind) {
            case PARTS -> "PARTS";
            case VQ_RUN -> "VQ_RUN";
            case DEV_CFG -> "DEV_CFG";
            case INFLIGHT -> "INFLIGHT";
            case COMPLETED -> "COMPLETED";
            case CVQ -> "CVQ";
            case IDENTITY -> "IDENTITY";
            case VENDOR -> "VENDOR";
            case CAPS -> "CAPS";
            case STATS -> "STATS";
            case TYPE -> "TYPE";
            default -> "kind " + kind;
        };
    }

    /** What the driver set, in the standard's own form: a device with its administration commands takes it as it is. */
    record Parts(DeviceParts parts) implements Section {
        @Override
        public int kind() {
            return PARTS;
        }
    }

    /** Where a stopped queue stands. */
    record QueueRun(int queue, QueueState state) {}

    /** Where the queues stand; each that the driver set up, by ascending index. */
    record QueueRuns(List<QueueRun> queues) implements Section {
        public QueueRuns {
            queues = List.copyOf(queues);
        }

        @Override
        public int kind() {
            return VQ_RUN;
        }
    }

    /**
     * The configuration space.
     *
     * @param generation the device's count of its own changes
     * @param driverWritten one bit a byte, byte n in bit n % 8 of byte n / 8: the driver wrote it, and the destination has
     *     to take it over
     */
    record DeviceConfiguration(Octets bytes, int generation, Octets driverWritten) implements Section {
        @Override
        public int kind() {
            return DEV_CFG;
        }

        public boolean isDriverWritten(int offset) {
            return (driverWritten.get(offset / Byte.SIZE) >> offset % Byte.SIZE & 1) != 0;
        }
    }

    /** Requests that a queue took and did not answer, oldest first; not empty. */
    record QueueInflight(int queue, InflightRequests requests) {}

    /** Requests in flight, of the queues that have some, by ascending index. */
    record Inflight(List<QueueInflight> queues) implements Section {
        public Inflight {
            queues = List.copyOf(queues);
        }

        @Override
        public int kind() {
            return INFLIGHT;
        }
    }

    /**
     * A request that is done and not yet in the used ring.
     *
     * @param id its head (split) or buffer id (packed)
     * @param writtenBytes what the device wrote into its buffers, unsigned
     */
    record Completion(int id, int writtenBytes) {}

    /** The completions of one queue in their order; not empty. */
    record QueueCompleted(int queue, List<Completion> completions) {
        public QueueCompleted {
            completions = List.copyOf(completions);
        }
    }

    /** Requests that are done and that the driver was not told of, by ascending queue. */
    record Completed(List<QueueCompleted> queues) implements Section {
        public Completed {
            queues = List.copyOf(queues);
        }

        @Override
        public int kind() {
            return COMPLETED;
        }
    }

    /** What a driver set by the control queue: the commands that bring a device after a reset to the same state. */
    record ControlState(List<ControlCommand> commands) implements Section {
        public ControlState {
            commands = List.copyOf(commands);
        }

        @Override
        public int kind() {
            return CVQ;
        }
    }

    /** What the device stands for outside of the machine, see {@link io.fairlead.vdpa.VdpaDevice#identity}. */
    record Identity(SortedMap<String, String> values) implements Section {
        public Identity {
            values = Collections.unmodifiableSortedMap(new TreeMap<>(values));
        }

        /** In whatever order. */
        public static Identity of(Map<String, String> values) {
            return new Identity(new TreeMap<>(values));
        }

        @Override
        public int kind() {
            return IDENTITY;
        }
    }

    /** What only devices of one vendor understand, and no other needs. */
    record Vendor(String vendor, String vendorVersion, Octets data) implements Section {
        @Override
        public int kind() {
            return VENDOR;
        }

        @Override
        public boolean optional() {
            return true;
        }
    }

    /** What the pre-flight check wants to know of the device. */
    record Caps(DeviceProfile profile) implements Section {
        @Override
        public int kind() {
            return CAPS;
        }
    }

    /** Counters of one queue, see {@link QueueStatistics}. */
    record QueueCounters(
            long kicks,
            long signals,
            long requests,
            long failedRequests,
            long readBytes,
            long writtenBytes,
            long guestFaults) {
        static QueueCounters of(QueueStatistics.Snapshot counts) {
            return new QueueCounters(
                    counts.kicks(),
                    counts.signals(),
                    counts.requests(),
                    counts.failedRequests(),
                    counts.readBytes(),
                    counts.writtenBytes(),
                    counts.guestFaults());
        }
    }

    /** Counters, a set a queue. */
    record Statistics(List<QueueCounters> queues) implements Section {
        public Statistics {
            queues = List.copyOf(queues);
        }

        @Override
        public int kind() {
            return STATS;
        }

        @Override
        public boolean optional() {
            return true;
        }
    }

    /** What devices of one virtio type keep beyond all that, see {@link io.fairlead.vdpa.VdpaDevice#typeState()}. */
    record TypeState(Octets data) implements Section {
        @Override
        public int kind() {
            return TYPE;
        }
    }

    /** An optional section of a kind, or of a version of one, that nobody here knows: kept as it came. */
    record Unknown(int kind, int version, Octets data) implements Section {
        @Override
        public boolean optional() {
            return true;
        }
    }
}
