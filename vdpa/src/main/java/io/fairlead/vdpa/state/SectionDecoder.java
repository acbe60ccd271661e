package io.fairlead.vdpa.state;

import io.fairlead.vdpa.preflight.ConfigCopy;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.DeviceParts;
import io.fairlead.virtio.parts.DevicePartsException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Reads the payloads of sections, little-endian, without padding; {@code text} is UTF-8 behind its length in 16 bits.
 *
 * <pre>
 * PARTS      the stream of {@link DeviceParts}
 * VQ_RUN     u32 count { u16 queue; u8 layout; u8 wraps; u16 available; u16 used; }
 *            // layout: 0 split, 1 packed; wraps: bit 0 available, bit 1 used
 * DEV_CFG    u32 bytes; u32 generation; u8 space[bytes]; u8 driver_written[(bytes + 7) / 8];
 * INFLIGHT   u32 count { u16 queue; u8 layout; u8 0; u32 requests;
 *                        split:  { u16 head; }
 *                        packed: { u32 descriptors { u64 address; u32 bytes; u16 buffer_id; u16 flags; } } }
 * COMPLETED  u32 count { u16 queue; u16 0; u32 requests { u16 id; u16 0; u32 written; } }
 * CVQ        u32 count { u8 class; u8 command; u16 0; u32 bytes; u8 data[bytes]; }
 * IDENTITY   u32 count { text key; text value; }                  // by ascending key
 * VENDOR     text vendor; text version; u32 bytes; u8 data[bytes];
 * CAPS       text name; text vendor; u32 device id; u64 device features; u64 driver features;
 *            u32 count { u16 largest size; u16 size in use; } u32 bytes; u8 config[bytes];
 *            IDENTITY; u32 count { text capability; }             // by ascending name
 * TYPE       u8 data[...];                                        // as the type has it
 * STATS      u32 count { u64 kicks, signals, requests, failed, read bytes, written bytes, guest faults; }
 * </pre>
 */
final class SectionDecoder {
    static final int SPLIT = 0;
    static final int PACKED = 1;
    static final int AVAILABLE_WRAP = 1;
    static final int USED_WRAP = 2;

    static final int MAX_TEXTS = 1024;
    static final int MAX_CONTROL_COMMANDS = 8192;

    private static final int QUEUE_RUN_BYTES = 8;
    private static final int QUEUE_HEADER_BYTES = 8;
    private static final int COMPLETION_BYTES = 8;
    private static final int COMMAND_HEADER_BYTES = 8;
    private static final int COUNTERS_BYTES = 7 * Long.BYTES;

    private final StateReader in;

    private SectionDecoder(StateReader in) {
        this.in = in;
    }

    /** Whether there is a layout of a kind and version here. */
    static boolean knows(int kind, int version) {
        return kind >= Section.PARTS && kind <= Section.TYPE && version == 1;
    }

    /** Reads a section that {@link #knows} says yes to, to its last byte. */
    static Section decode(int kind, StateReader in) throws StateFormatException {
        SectionDecoder decoder = new SectionDecoder(in);
        Section section = switch (kind) {
            case Section.PARTS -> decoder.parts();
            case Section.VQ_RUN -> decoder.queueRuns();
            case Section.DEV_CFG -> decoder.config();
            case Section.INFLIGHT -> decoder.inflight();
            case Section.COMPLETED -> decoder.completed();
            case Section.CVQ -> decoder.control();
            case Section.IDENTITY -> new Section.Identity(decoder.map());
            case Section.VENDOR -> new Section.Vendor(in.text(), in.text(), in.octets(decoder.length("bytes")));
            case Section.CAPS -> new Section.Caps(decoder.profile());
            case Section.STATS -> decoder.statistics();
            case Section.TYPE -> new Section.TypeState(in.octets(in.remaining()));
            default -> throw in.wrong("kind %d is unknown".formatted(kind));
        };
        in.end();
        return section;
    }

    private int length(String what) throws StateFormatException {
        return in.count(Integer.MAX_VALUE, 1, what);
    }

    private Section parts() throws StateFormatException {
        int offset = in.offset();
        try {
            return new Section.Parts(DeviceParts.decode(
                    MemorySegment.ofArray(in.octets(in.remaining()).toArray())));
        } catch (DevicePartsException e) {
            throw in.wrong(offset, "device parts, " + e.getMessage());
        }
    }

    private Section queueRuns() throws StateFormatException {
        int count = in.count(DeviceState.MAX_QUEUES, QUEUE_RUN_BYTES, "queues");
        List<Section.QueueRun> runs = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int queue = in.u16();
            int offset = in.offset();
            int layout = in.u8();
            int wraps = in.u8();
            int available = in.u16();
            int used = in.u16();
            if (layout == SPLIT && wraps == 0) {
                runs.add(new Section.QueueRun(queue, new QueueState.Split(available, used)));
            } else if (layout == PACKED
                    && (wraps & ~(AVAILABLE_WRAP | USED_WRAP)) == 0
                    && Math.max(available, used) < RingLayout.MAX_SIZE) {
                runs.add(new Section.QueueRun(
                        queue,
                        new QueueState.Packed(
                                available, (wraps & AVAILABLE_WRAP) != 0, used, (wraps & USED_WRAP) != 0)));
            } else {
                throw in.wrong(
                        offset,
                        "queue %d: layout %d with wraps 0x%x at %d and %d is no state of a queue"
                                .formatted(queue, layout, wraps, available, used));
            }
        }
        return new Section.QueueRuns(runs);
    }

    private Section config() throws StateFormatException {
        int byteCount = in.count(ConfigCopy.MAX_BYTES, 1, "bytes of configuration space");
        int generation = in.u32();
        return new Section.DeviceConfiguration(
                in.octets(byteCount), generation, in.octets((byteCount + Byte.SIZE - 1) / Byte.SIZE));
    }

    private Section inflight() throws StateFormatException {
        int count = in.count(DeviceState.MAX_QUEUES, QUEUE_HEADER_BYTES, "queues");
        List<Section.QueueInflight> queues = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int queue = in.u16();
            int offset = in.offset();
            int layout = in.u8();
            in.zero(1);
            switch (layout) {
                case SPLIT -> queues.add(new Section.QueueInflight(queue, split()));
                case PACKED -> queues.add(new Section.QueueInflight(queue, packed()));
                default -> throw in.wrong(offset, "layout %d of queue %d is unknown".formatted(layout, queue));
            }
        }
        return new Section.Inflight(queues);
    }

    private InflightRequests split() throws StateFormatException {
        int count = in.count(RingLayout.MAX_SIZE, Short.BYTES, "requests");
        List<Integer> heads = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            heads.add(in.u16());
        }
        return new InflightRequests.Split(heads);
    }

    private InflightRequests packed() throws StateFormatException {
        int count = in.count(RingLayout.MAX_SIZE, Integer.BYTES, "requests");
        List<InflightRequests.Chain> chains = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int length = in.count(RingLayout.MAX_SIZE, RingLayout.DESCRIPTOR_BYTES, "descriptors");
            List<InflightRequests.Descriptor> descriptors = new ArrayList<>(length);
            for (int j = 0; j < length; j++) {
                descriptors.add(new InflightRequests.Descriptor(in.u64(), in.u32(), in.u16(), in.u16()));
            }
            chains.add(new InflightRequests.Chain(descriptors));
        }
        return new InflightRequests.Packed(chains);
    }

    private Section completed() throws StateFormatException {
        int count = in.count(DeviceState.MAX_QUEUES, QUEUE_HEADER_BYTES, "queues");
        List<Section.QueueCompleted> queues = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int queue = in.u16();
            in.zero(2);
            int requests = in.count(RingLayout.MAX_SIZE, COMPLETION_BYTES, "requests");
            List<Section.Completion> completions = new ArrayList<>(requests);
            for (int j = 0; j < requests; j++) {
                int id = in.u16();
                in.zero(2);
                completions.add(new Section.Completion(id, in.u32()));
            }
            queues.add(new Section.QueueCompleted(queue, completions));
        }
        return new Section.Completed(queues);
    }

    private Section control() throws StateFormatException {
        int count = in.count(MAX_CONTROL_COMMANDS, COMMAND_HEADER_BYTES, "commands");
        List<ControlCommand> commands = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            int commandClass = in.u8();
            int command = in.u8();
            in.zero(2);
            commands.add(new ControlCommand(commandClass, command, in.octets(length("bytes"))));
        }
        return new Section.ControlState(commands);
    }

    private SortedMap<String, String> map() throws StateFormatException {
        int count = in.count(MAX_TEXTS, 2 * Short.BYTES, "keys");
        SortedMap<String, String> values = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            int offset = in.offset();
            String key = in.text();
            if (!values.isEmpty() && key.compareTo(values.lastKey()) <= 0) {
                throw in.wrong(offset, "key '%s' is not behind '%s'".formatted(key, values.lastKey()));
            }
            values.put(key, in.text());
        }
        return values;
    }

    private DeviceProfile profile() throws StateFormatException {
        String name = in.text();
        String vendor = in.text();
        int deviceId = in.u32();
        long deviceFeatures = in.u64();
        long driverFeatures = in.u64();
        int count = in.count(DeviceState.MAX_QUEUES, 2 * Short.BYTES, "queues");
        List<DeviceProfile.Queue> queues = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            queues.add(new DeviceProfile.Queue(in.u16(), in.u16()));
        }
        int configBytes = in.count(ConfigCopy.MAX_BYTES, 1, "bytes of configuration space");
        return new DeviceProfile(
                name,
                vendor,
                deviceId,
                deviceFeatures,
                driverFeatures,
                queues,
                in.octets(configBytes),
                map(),
                capabilities());
    }

    private SortedSet<String> capabilities() throws StateFormatException {
        int count = in.count(MAX_TEXTS, Short.BYTES, "capabilities");
        SortedSet<String> names = new TreeSet<>();
        for (int i = 0; i < count; i++) {
            int offset = in.offset();
            String name = in.text();
            if (!names.isEmpty() && name.compareTo(names.last()) <= 0) {
                throw in.wrong(offset, "capability '%s' is not behind '%s'".formatted(name, names.last()));
            }
            names.add(name);
        }
        return names;
    }

    private Section statistics() throws StateFormatException {
        int count = in.count(DeviceState.MAX_QUEUES, COUNTERS_BYTES, "queues");
        List<Section.QueueCounters> queues = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            queues.add(new Section.QueueCounters(in.u64(), in.u64(), in.u64(), in.u64(), in.u64(), in.u64(), in.u64()));
        }
        return new Section.Statistics(queues);
    }
}
