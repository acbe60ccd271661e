package io.fairlead.vdpa.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/** What comes from outside as a device state, whatever it is, is refused before a device is touched, or is a state. */
class StateMutationTest {
    private static final int MUTATIONS = 10_000;
    private static final long SEED = 0x5eed;

    private static RandomGenerator random() {
        return RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
    }

    private static List<byte[]> valid() throws StateFormatException {
        List<byte[]> states = new ArrayList<>();
        for (DeviceState state : States.all().values()) {
            states.add(state.encode());
        }
        return states;
    }

    @Test
    void noPrefixIsAState() throws Exception {
        for (byte[] state : valid()) {
            for (int length = 0; length < state.length; length++) {
                byte[] prefix = Arrays.copyOf(state, length);
                assertThatThrownBy(() -> DeviceState.decode(prefix)).isInstanceOf(StateFormatException.class);
            }
            byte[] longer = Arrays.copyOf(state, state.length + 1);
            assertThatThrownBy(() -> DeviceState.decode(longer)).isInstanceOf(StateFormatException.class);
        }
    }

    @Test
    void noPrefixIsAStateEvenWithItsChecksumsRepaired() throws Exception {
        for (byte[] state : valid()) {
            int end = state.length - StateEnvelope.TRAILER_BYTES;
            for (int length = StateEnvelope.HEADER_BYTES; length < end; length++) {
                byte[] prefix = Arrays.copyOf(state, length + StateEnvelope.TRAILER_BYTES);
                repair(prefix);
                assertThatThrownBy(() -> DeviceState.decode(prefix)).isInstanceOf(StateFormatException.class);
            }
        }
    }

    @Test
    void noByteCanBeChangedUnnoticed() throws Exception {
        RandomGenerator random = random();
        List<byte[]> states = valid();
        for (int i = 0; i < MUTATIONS; i++) {
            byte[] original = states.get(random.nextInt(states.size()));
            byte[] mutant = mutate(original, states, random);
            if (!Arrays.equals(mutant, original)) {
                assertThatThrownBy(() -> DeviceState.decode(mutant))
                        .as("mutation %d", i)
                        .isInstanceOf(StateFormatException.class);
            }
        }
    }

    @Test
    void whoCanRepairChecksumsGetsNoFurtherThanAState() throws Exception {
        RandomGenerator random = random();
        List<byte[]> states = valid();
        Map<String, Integer> outcomes = new HashMap<>();
        for (int i = 0; i < MUTATIONS; i++) {
            byte[] mutant = mutate(states.get(random.nextInt(states.size())), states, random);
            repair(mutant);
            outcomes.merge(load(mutant, i), 1, Integer::sum);
        }
        // The mutants reach all layers: refused by the format, by the device, and some are states of their own right.
        assertThat(outcomes.get("format")).isGreaterThan(MUTATIONS / 4);
        assertThat(outcomes.get("device")).isGreaterThan(MUTATIONS / 100);
        assertThat(outcomes.get("applied")).isGreaterThan(MUTATIONS / 100);
    }

    /** Loads it into a device, as one does, and says how far it got. */
    private static String load(byte[] bytes, int index) throws IOException {
        RecordingDevice device = new RecordingDevice(States.blk(false, 2));
        try {
            DeviceState state = DeviceState.decode(bytes);
            assertThat(state.encode()).as("mutation %d is canonical", index).isEqualTo(bytes);
            DeviceRestore.apply(state, device.device(), new CompletableFuture<>());
            assertThat(device.carried).isEqualTo(state.inflightRequests());
            return "applied";
        } catch (StateFormatException e) {
            assertThat(device.calls).isEmpty();
            return "format";
        } catch (StateRefusedException e) {
            assertThat(device.calls).isEmpty();
            return "device";
        } catch (RuntimeException e) {
            return fail("mutation %d: %s".formatted(index, e), e);
        }
    }

    // ---- mutations ----

    private static byte[] mutate(byte[] original, List<byte[]> others, RandomGenerator random) {
        byte[] bytes = original.clone();
        int end = bytes.length - StateEnvelope.TRAILER_BYTES;
        switch (random.nextInt(8)) {
            case 0 -> flip(bytes, random.nextInt(bytes.length), random);
            case 1 -> {
                for (int i = random.nextInt(8); i >= 0; i--) {
                    flip(bytes, random.nextInt(end), random);
                }
            }
            case 2 -> bytes[random.nextInt(end)] = (byte) (random.nextBoolean() ? 0xff : 0);
            case 3 -> {
                // A count or length that is far too large, or one off.
                int offset = random.nextInt(end - Integer.BYTES);
                ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
                fields.putInt(offset, random.nextBoolean() ? random.nextInt() : fields.getInt(offset) + 1);
            }
            case 4 -> {
                int from = random.nextInt(end);
                int length = random.nextInt(end - from);
                byte[] shorter = new byte[bytes.length - length];
                System.arraycopy(bytes, 0, shorter, 0, from);
                System.arraycopy(bytes, from + length, shorter, from, bytes.length - from - length);
                return shorter.length < StateEnvelope.HEADER_BYTES + StateEnvelope.TRAILER_BYTES ? bytes : shorter;
            }
            case 5 -> {
                byte[] other = others.get(random.nextInt(others.size()));
                int length = random.nextInt(64);
                System.arraycopy(
                        other,
                        random.nextInt(other.length - length),
                        bytes,
                        random.nextInt(bytes.length - length),
                        length);
            }
            case 6 -> {
                return spliced(bytes, others.get(random.nextInt(others.size())), random);
            }
            default -> {
                // Within the payload of one section, so that repaired checksums let it through to the payload's reader.
                List<int[]> sections = sections(bytes);
                int[] section = sections.get(random.nextInt(sections.size()));
                int payload = section[1] - StateEnvelope.SECTION_BYTES;
                if (payload > 0) {
                    flip(bytes, section[0] + StateEnvelope.SECTION_BYTES + random.nextInt(payload), random);
                }
            }
        }
        return bytes;
    }

    private static void flip(byte[] bytes, int offset, RandomGenerator random) {
        bytes[offset] ^= (byte) (1 << random.nextInt(Byte.SIZE));
    }

    /** A section of one state in place of one of another, or beside it, or gone. */
    private static byte[] spliced(byte[] bytes, byte[] other, RandomGenerator random) {
        List<int[]> own = sections(bytes);
        List<int[]> foreign = sections(other);
        int[] gone = own.get(random.nextInt(own.size()));
        int[] taken = foreign.get(random.nextInt(foreign.size()));
        boolean replaces = random.nextBoolean();
        boolean inserts = replaces || random.nextBoolean();
        int cut = replaces || !inserts ? gone[1] : 0;
        int put = inserts ? taken[1] : 0;
        byte[] result = new byte[bytes.length - cut + put];
        System.arraycopy(bytes, 0, result, 0, gone[0]);
        System.arraycopy(other, taken[0], result, gone[0], put);
        System.arraycopy(bytes, gone[0] + cut, result, gone[0] + put, bytes.length - gone[0] - cut);
        ByteBuffer fields = ByteBuffer.wrap(result).order(ByteOrder.LITTLE_ENDIAN);
        fields.putInt(48, own.size() + (inserts ? 1 : 0) - (cut > 0 ? 1 : 0));
        return result;
    }

    /** Offset and length of each section, as far as they can be followed. */
    private static List<int[]> sections(byte[] bytes) {
        ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int end = bytes.length - StateEnvelope.TRAILER_BYTES;
        List<int[]> sections = new ArrayList<>();
        int offset = StateEnvelope.HEADER_BYTES;
        while (end - offset >= StateEnvelope.SECTION_BYTES) {
            long length = fields.getLong(offset + StateEnvelope.SECTION_LENGTH);
            if (length < 0 || length > end - offset - StateEnvelope.SECTION_BYTES) {
                break;
            }
            sections.add(new int[] {offset, (int) length + StateEnvelope.SECTION_BYTES});
            offset += (int) length + StateEnvelope.SECTION_BYTES;
        }
        return sections;
    }

    /** Makes total length and all checksums right again. */
    private static void repair(byte[] bytes) {
        ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        fields.putLong(StateEnvelope.TOTAL_BYTES, bytes.length);
        for (int[] section : sections(bytes)) {
            fields.putInt(
                    section[0] + StateEnvelope.SECTION_CRC,
                    StateEnvelope.crc(fields.slice(section[0], section[1]), StateEnvelope.SECTION_CRC));
        }
        fields.putInt(
                StateEnvelope.HEADER_CRC,
                StateEnvelope.crc(fields.slice(0, StateEnvelope.HEADER_BYTES), StateEnvelope.HEADER_CRC));
        int end = bytes.length - StateEnvelope.TRAILER_BYTES;
        byte[] digest = StateEnvelope.sha256(ByteBuffer.wrap(bytes, 0, end));
        System.arraycopy(digest, 0, bytes, end, digest.length);
    }

    // ---- single fields, each with its words ----

    private static void refused(byte[] bytes, String... words) {
        repair(bytes);
        assertThatThrownBy(() -> DeviceState.decode(bytes))
                .isInstanceOf(StateFormatException.class)
                .hasMessageContainingAll(words);
    }

    @Test
    void aNewerMajorVersionIsRefusedAndNamed() throws Exception {
        byte[] bytes = States.blkSplit().encode();
        bytes[4] = 2;
        refused(bytes, "header", "version 2.0", "reads version 1");
    }

    @Test
    void aNewerMinorVersionWithALongerHeaderIsRead() throws Exception {
        DeviceState state = States.blkSplit();
        byte[] extension = {1, 2, 3};
        StateHeader header =
                new StateHeader(5, true, state.epoch(), state.deviceId(), state.uuid(), Octets.of(extension));
        DeviceState newer = DeviceState.of(header, state.sections());
        byte[] bytes = newer.encode();
        assertThat(DeviceState.decode(bytes)).isEqualTo(newer);
        assertThat(DeviceState.decode(bytes).header().minor()).isEqualTo(5);
        assertThatThrownBy(() -> DeviceState.of(
                        new StateHeader(0, true, 0, 2, state.uuid(), Octets.of(extension)), state.sections()))
                .isInstanceOf(StateFormatException.class);
    }

    @Test
    void anUnknownMandatorySectionIsRefusedAndNamed() throws Exception {
        byte[] bytes = States.net().encode();
        int[] last = sections(bytes).getLast();
        bytes[last[0] + 2] = 0;
        refused(bytes, "kind 28673 section", "byte %d".formatted(last[0]), "mandatory and unknown");
        byte[] version = States.blkSplit().encode();
        version[sections(version).getFirst()[0] + 4] = 9;
        refused(version, "PARTS section", "version 9");
    }

    @Test
    void countsBeyondWhatIsThereAllocateNothing() throws Exception {
        byte[] bytes = States.blkSplitInflight().encode();
        ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int inflight = sections(bytes).get(3)[0] + StateEnvelope.SECTION_BYTES;
        fields.putInt(inflight, -1);
        refused(bytes, "INFLIGHT section, byte %d".formatted(inflight), "4294967295 queues are more than");
        fields.putInt(inflight, 1);
        fields.putInt(inflight + 8, 32768);
        refused(bytes, "INFLIGHT section", "32768 requests do not fit");
        fields.putInt(48, Integer.MAX_VALUE);
        refused(bytes, "header, byte 48", "more than 64");
    }

    @Test
    void whatIsTooLargeIsNotEvenCopied() {
        byte[] bytes = new byte[DeviceState.MAX_BYTES + 1];
        assertThatThrownBy(() -> DeviceState.decode(bytes))
                .isInstanceOf(StateFormatException.class)
                .hasMessageContaining("more than 16777216");
    }
}
