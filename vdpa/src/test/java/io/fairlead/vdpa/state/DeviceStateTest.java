package io.fairlead.vdpa.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.RingLayout;
import io.fairlead.virtio.parts.Octets;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceStateTest {
    private static byte[] golden(String name) throws Exception {
        try (InputStream file = DeviceStateTest.class.getResourceAsStream(name + ".vdps")) {
            return file.readAllBytes();
        }
    }

    @Test
    void whatIsEncodedDecodesToTheSame() throws Exception {
        for (Map.Entry<String, DeviceState> entry : States.all().entrySet()) {
            byte[] bytes = entry.getValue().encode();
            DeviceState decoded = DeviceState.decode(bytes);
            assertThat(decoded).as(entry.getKey()).isEqualTo(entry.getValue());
            assertThat(decoded.hashCode()).isEqualTo(entry.getValue().hashCode());
            assertThat(decoded.encode()).isEqualTo(bytes);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "blk-split-drained",
                "blk-split-inflight",
                "blk-packed-inflight",
                "blk-provisional",
                "net-with-unknown-section"
            })
    void statesOfEarlierBuildsAreReadAndWrittenByteByByte(String name) throws Exception {
        byte[] bytes = golden(name);
        DeviceState state = DeviceState.decode(bytes);
        assertThat(state).isEqualTo(States.all().get(name));
        assertThat(state.encode()).isEqualTo(bytes);
    }

    @Test
    void aStateInNativeMemoryIsRead() throws Exception {
        byte[] bytes = States.blkSplit().encode();
        try (Arena arena = Arena.ofConfined()) {
            // At an odd address: it comes from files and pipes.
            MemorySegment native1 = arena.allocate(bytes.length + 1L).asSlice(1);
            MemorySegment.copy(MemorySegment.ofArray(bytes), 0, native1, 0, bytes.length);
            assertThat(DeviceState.decode(native1)).isEqualTo(States.blkSplit());
        }
    }

    @Test
    void itTellsWhatTheNextDeviceNeeds() throws Exception {
        DeviceState state = States.blkSplitInflight();
        assertThat(state.isFinal()).isTrue();
        assertThat(state.epoch()).isEqualTo(1);
        assertThat(state.deviceId()).isEqualTo(DeviceId.BLOCK);
        assertThat(state.uuid()).isEqualTo(States.DEVICE);
        assertThat(state.status()).isEqualTo(15);
        assertThat(state.identity()).containsEntry("volume", "volume-1");
        assertThat(state.queueStates())
                .containsExactly(
                        Map.entry(0, new QueueState.Split(1, 0xfffe)), Map.entry(1, new QueueState.Split(77, 77)));
        assertThat(state.inflightRequests())
                .containsExactly(Map.entry(0, new InflightRequests.Split(List.of(5, 0, 127))));
        assertThat(state.queue(1)).hasValueSatisfying(queue -> {
            assertThat(queue.size()).isEqualTo(128);
            assertThat(queue.driverAddress()).isEqualTo(0x204000);
        });
        assertThat(state.queue(2)).isEmpty();
        assertThat(States.blkProvisional().queueStates()).isEmpty();
    }

    @Test
    void theHeaderIsWhereTheDocumentationSays() throws Exception {
        byte[] bytes = States.net().encode();
        assertThat(new String(bytes, 0, 4, StandardCharsets.US_ASCII)).isEqualTo("VDPS");
        assertThat(bytes[4]).isEqualTo((byte) 1);
        assertThat(bytes[20]).isEqualTo((byte) 2);
        assertThat(bytes[24]).isEqualTo((byte) 7);
        assertThat(bytes[28]).isEqualTo((byte) DeviceId.NET);
        assertThat(bytes[32]).isEqualTo((byte) 0x6f);
        assertThat(bytes[47]).isEqualTo((byte) 0x11);
    }

    @Test
    void anUnknownOptionalSectionIsKept() throws Exception {
        DeviceState state = DeviceState.decode(States.net().encode());
        assertThat(state.section(Section.Unknown.class))
                .contains(new Section.Unknown(0x7001, 3, Octets.of((byte) 1, (byte) 2, (byte) 3)));
    }

    @Test
    void anotherSectionTakesThePlaceOfThatOfItsKind() throws Exception {
        DeviceState state = States.blkSplit().with(new Section.Vendor("a", "1", Octets.EMPTY));
        DeviceState again = state.with(new Section.Vendor("b", "2", Octets.EMPTY));
        assertThat(again.sections()).hasSameSizeAs(state.sections());
        assertThat(again.section(Section.Vendor.class).orElseThrow().vendor()).isEqualTo("b");
    }

    private static void refused(DeviceProfile profile, List<Section> sections, String... words) {
        assertThatThrownBy(() -> DeviceState.of(new StateHeader(true, 1, profile.deviceId(), States.DEVICE), sections))
                .isInstanceOf(StateFormatException.class)
                .hasMessageContainingAll(words);
    }

    private static void refusedQueues(
            DeviceProfile profile, List<Section.QueueRun> runs, List<Section.QueueInflight> inflight, String... words) {
        assertThatThrownBy(() -> States.state(profile, runs, inflight))
                .isInstanceOf(StateFormatException.class)
                .hasMessageContainingAll(words);
    }

    @Test
    void everySectionThatIsNeededHasToBeThere() {
        DeviceProfile profile = States.blk(false, 1);
        List<Section> whole = new ArrayList<>(States.sections(profile));
        whole.add(1, new Section.QueueRuns(List.of(new Section.QueueRun(0, new QueueState.Split(0, 0)))));
        for (int kind : new int[] {Section.PARTS, Section.VQ_RUN, Section.DEV_CFG, Section.IDENTITY, Section.CAPS}) {
            List<Section> less =
                    whole.stream().filter(section -> section.kind() != kind).toList();
            refused(profile, less, "needs a %s section".formatted(Section.name(kind)));
        }
        refused(profile, whole.reversed(), "behind that of a higher kind");
        whole.add(whole.getLast());
        refused(profile, whole, "comes twice");
    }

    @Test
    void aProvisionalStateHasNothingOfAStoppedDevice() {
        DeviceProfile profile = States.blk(false, 1);
        List<Section> sections = new ArrayList<>(States.sections(profile));
        sections.add(1, new Section.QueueRuns(List.of(new Section.QueueRun(0, new QueueState.Split(0, 0)))));
        assertThatThrownBy(() -> DeviceState.of(new StateHeader(false, 0, DeviceId.BLOCK, States.DEVICE), sections))
                .hasMessageContaining("a provisional state has none");
    }

    @Test
    void noRequestIsLostOrTwice() {
        DeviceProfile profile = States.blk(false, 1);
        List<Section.QueueRun> two = List.of(new Section.QueueRun(0, new QueueState.Split(12, 10)));
        refusedQueues(profile, two, List.of(), "queue 0", "2 ring entries", "0 by its requests");
        for (List<Integer> heads : List.of(List.of(1), List.of(1, 2, 3))) {
            refusedQueues(
                    profile, two, List.of(new Section.QueueInflight(0, new InflightRequests.Split(heads))), "2 ring");
        }
        refusedQueues(
                profile,
                two,
                List.of(new Section.QueueInflight(0, new InflightRequests.Split(List.of(1, 1)))),
                "request 1 is twice");
        refusedQueues(
                profile,
                two,
                List.of(new Section.QueueInflight(0, new InflightRequests.Split(List.of(1, 128)))),
                "not below 128");
        refusedQueues(profile, two, List.of(new Section.QueueInflight(0, InflightRequests.none())), "no requests");
        refusedQueues(
                profile,
                List.of(new Section.QueueRun(0, new QueueState.Split(129, 0))),
                List.of(),
                "129 entries under way, of 128");
        refusedQueues(profile, List.of(), List.of(), "0 queues, of 1");
        refusedQueues(profile, List.of(new Section.QueueRun(0, QueueState.initial(true))), List.of(), "ring layout");
    }

    @Test
    void packedPositionsAndChainsHaveToBeThoseOfARing() {
        DeviceProfile profile = States.blk(true, 1);
        refusedQueues(
                profile,
                List.of(new Section.QueueRun(0, new QueueState.Packed(128, true, 0, true))),
                List.of(),
                "outside of a ring of 128");
        // One more than a whole ring: the used position is ahead of the available one.
        refusedQueues(
                profile,
                List.of(new Section.QueueRun(0, new QueueState.Packed(1, false, 0, true))),
                List.of(),
                "129 entries under way");
        List<Section.QueueRun> one = List.of(new Section.QueueRun(0, new QueueState.Packed(1, true, 0, true)));
        InflightRequests.Descriptor open = new InflightRequests.Descriptor(0, 0, 0, RingLayout.NEXT);
        InflightRequests.Descriptor last = new InflightRequests.Descriptor(0, 0, 0, 0);
        for (List<InflightRequests.Descriptor> chain : List.of(List.of(open), List.of(last, last))) {
            refusedQueues(
                    profile,
                    one,
                    List.of(new Section.QueueInflight(
                            0, new InflightRequests.Packed(List.of(new InflightRequests.Chain(chain))))),
                    "a chain ends");
        }
        refusedQueues(
                profile,
                one,
                List.of(new Section.QueueInflight(
                        0, new InflightRequests.Packed(List.of(new InflightRequests.Chain(List.of()))))),
                "a chain of 0");
    }

    @Test
    void sectionsMayNotContradictEachOther() {
        DeviceProfile profile = States.blk(false, 1);
        List<Section> sections = new ArrayList<>(States.sections(profile));
        sections.add(1, new Section.QueueRuns(List.of(new Section.QueueRun(0, new QueueState.Split(0, 0)))));
        int caps = sections.size() - 2;
        DeviceProfile other = States.blk(true, 1);
        sections.set(caps, new Section.Caps(other));
        refused(profile, sections, "feature word 0");
        sections.set(caps, new Section.Caps(profile.withIdentity(Map.of("volume", "volume-2"))));
        refused(profile, sections, "identity");
        sections.set(caps, new Section.Caps(States.blk(false, 2)));
        refused(profile, sections, "CAPS section");
    }

    @Test
    void whatAFieldCannotHoldIsRefusedAtItsMaking() {
        DeviceProfile profile = States.blk(false, 1);
        List<Section> sections = new ArrayList<>(States.sections(profile));
        sections.add(1, new Section.QueueRuns(List.of(new Section.QueueRun(0, new QueueState.Split(0, 0)))));
        for (String text : new String[] {"\ud800", "x".repeat(StateReader.MAX_TEXT_BYTES + 1)}) {
            List<Section> more = new ArrayList<>(sections);
            more.add(5, new Section.Vendor(text, "", Octets.EMPTY));
            more.sort(Comparator.comparingInt(Section::kind));
            refused(profile, more, "a text");
        }
        sections.add(new Section.Unknown(70000, 1, Octets.EMPTY));
        refused(profile, sections, "outside of what its field holds");
        assertThatThrownBy(() -> DeviceState.of(new StateHeader(true, -1, 2, new UUID(0, 0)), List.of()))
                .hasMessageContaining("epoch 4294967295");
    }
}
