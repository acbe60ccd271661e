package io.fairlead.vdpa.state;

import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.DevicePart;
import io.fairlead.virtio.parts.DeviceParts;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;

/**
 * The state of a device in the vendor-neutral format: all that another device of the same type needs to go on where this
 * one stopped, with the rings and buffers in guest memory. An instance has passed every check that needs no device;
 * whether a device takes it, {@link DeviceRestore} says. Immutable.
 *
 * <p>The format is canonical: what is decoded encodes to the same bytes, and the reverse. docs/device-state.md describes
 * it.
 */
public final class DeviceState {
    /** The version that this program writes, and the only major one that it reads. */
    public static final int MAJOR = 1;

    public static final int MINOR = 0;

    /** The largest state. */
    public static final int MAX_BYTES = 16 << 20;

    public static final int MAX_SECTIONS = 64;
    public static final int MAX_QUEUES = DeviceProfile.MAX_QUEUES;

    private final StateHeader header;
    private final List<Section> sections;

    private DeviceState(StateHeader header, List<Section> sections) {
        this.header = header;
        this.sections = sections;
    }

    /**
     * Puts a state together.
     *
     * @param sections by ascending kind, each once
     * @throws StateFormatException where the sections are not what a state has, or contradict each other
     */
    public static DeviceState of(StateHeader header, List<Section> sections) throws StateFormatException {
        DeviceState state = checked(header, sections);
        // What a record of ours can hold and its field cannot, such as a queue 70000, shows here and not at the
        // receiver.
        if (!StateEnvelope.decode(state.encode()).equals(state)) {
            throw new StateFormatException("state", -1, "a value is outside of what its field holds");
        }
        return state;
    }

    static DeviceState checked(StateHeader header, List<Section> sections) throws StateFormatException {
        List<Section> all = List.copyOf(sections);
        StateRules.check(header, all);
        return new DeviceState(header, all);
    }

    /**
     * Reads a state that is the whole of a segment; the segment is copied first.
     *
     * @throws StateFormatException where it is broken in whatever way; says what and where
     */
    public static DeviceState decode(MemorySegment state) throws StateFormatException {
        if (state.byteSize() > MAX_BYTES) {
            throw new StateFormatException(
                    "state", -1, "%d bytes are more than %d".formatted(state.byteSize(), MAX_BYTES));
        }
        return StateEnvelope.decode(state.toArray(ValueLayout.JAVA_BYTE));
    }

    /** As {@link #decode(MemorySegment)}. */
    public static DeviceState decode(byte[] state) throws StateFormatException {
        return decode(MemorySegment.ofArray(state));
    }

    /**
     * The bytes that {@link #decode} takes.
     *
     * @throws StateFormatException where they would be more than {@link #MAX_BYTES}, or a value has no place in its field
     */
    public byte[] encode() throws StateFormatException {
        return StateEnvelope.encode(header, sections);
    }

    public StateHeader header() {
        return header;
    }

    public boolean isFinal() {
        return header.isFinal();
    }

    public int epoch() {
        return header.epoch();
    }

    public int deviceId() {
        return header.deviceId();
    }

    public UUID uuid() {
        return header.uuid();
    }

    /** By ascending kind. */
    public List<Section> sections() {
        return sections;
    }

    /** The section of a class other than {@link Section.Unknown}. */
    public <S extends Section> Optional<S> section(Class<S> type) {
        return find(sections, type);
    }

    static <S extends Section> Optional<S> find(List<Section> sections, Class<S> type) {
        return sections.stream().filter(type::isInstance).map(type::cast).findFirst();
    }

    /** The same with one more section, or another in place of the one of its kind: what a vendor or a user adds. */
    public DeviceState with(Section section) throws StateFormatException {
        SortedMap<Integer, Section> byKind = new TreeMap<>();
        sections.forEach(old -> byKind.put(old.kind(), old));
        byKind.put(section.kind(), section);
        return of(header, new ArrayList<>(byKind.values()));
    }

    // ---- what every state has ----

    public DeviceParts parts() {
        return section(Section.Parts.class).orElseThrow().parts();
    }

    /** The profile of the device that the state was taken of. */
    public DeviceProfile profile() {
        return section(Section.Caps.class).orElseThrow().profile();
    }

    public Section.DeviceConfiguration config() {
        return section(Section.DeviceConfiguration.class).orElseThrow();
    }

    public SortedMap<String, String> identity() {
        return section(Section.Identity.class).orElseThrow().values();
    }

    public long driverFeatures() {
        return profile().driverFeatures();
    }

    /** The device status bits. */
    public int status() {
        return parts().find(DevicePart.Status.class).orElseThrow().bits();
    }

    /** What was set for a queue; empty for one that the device does not have. */
    public Optional<DevicePart.QueueConfiguration> queue(int queue) {
        return parts().queues().stream().filter(part -> part.queue() == queue).findFirst();
    }

    /** Where the queues stand that a driver set up; empty in a provisional state. For a check of what came another way. */
    public SortedMap<Integer, QueueState> queueStates() {
        SortedMap<Integer, QueueState> states = new TreeMap<>();
        section(Section.QueueRuns.class)
                .ifPresent(runs -> runs.queues().forEach(run -> states.put(run.queue(), run.state())));
        return states;
    }

    /** The requests in flight of the queues that have some. */
    public SortedMap<Integer, InflightRequests> inflightRequests() {
        SortedMap<Integer, InflightRequests> requests = new TreeMap<>();
        section(Section.Inflight.class)
                .ifPresent(
                        inflight -> inflight.queues().forEach(queue -> requests.put(queue.queue(), queue.requests())));
        return requests;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof DeviceState state && header.equals(state.header) && sections.equals(state.sections);
    }

    @Override
    public int hashCode() {
        return Objects.hash(header, sections);
    }

    @Override
    public String toString() {
        return "%s state of %s, epoch %d"
                .formatted(header.isFinal() ? "final" : "provisional", header.uuid(), header.epoch());
    }
}
