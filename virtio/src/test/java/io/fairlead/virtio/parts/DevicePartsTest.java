package io.fairlead.virtio.parts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

class DevicePartsTest {
    // Written down by hand from the structures of virtio 1.4, 2.13.
    private static final String DEVICE_FEATURES =
            "0001" + "01" + "00" + "0000000000000000" + "08000000" + "4002000001000000";
    private static final String DRIVER_FEATURES =
            "0101" + "00" + "00" + "0000000000000000" + "10000000" + "4000000001000000" + "0200000000000000";
    private static final String PCI = "0201" + "00" + "00" + "1200000000000000" + "02000000" + "0400";
    private static final String STATUS = "0301" + "00" + "00" + "0000000000000000" + "01000000" + "0f";
    private static final String QUEUE = "0401" + "00" + "00" + "0100000000000000" + "20000000"
            + "0001" + "ffff" + "0100" + "0000"
            + "0010000000000000" + "0020000000000000" + "00300000000000f0";
    private static final String NOTIFY =
            "0501" + "00" + "00" + "0100000000000000" + "08000000" + "0300" + "0400" + "00000000";
    private static final String UNKNOWN = "0004" + "01" + "00" + "0700000000000080" + "03000000" + "010203";
    private static final String ALL = DEVICE_FEATURES + DRIVER_FEATURES + PCI + STATUS + QUEUE + NOTIFY + UNKNOWN;

    private static final DeviceParts PARTS = new DeviceParts(List.of(
            new DevicePart.DeviceFeatures(List.of(0x100000240L)),
            new DevicePart.DriverFeatures(List.of(0x100000040L, 2L)),
            new DevicePart.PciCommonConfiguration(18, Octets.of((byte) 4, (byte) 0)),
            new DevicePart.Status(15),
            new DevicePart.QueueConfiguration(1, 256, DevicePart.NO_VECTOR, true, 0x1000, 0x2000, 0xf000000000003000L),
            new DevicePart.QueueNotifyConfiguration(1, 3, 4),
            new DevicePart.Unknown(0x400, 0x8000000000000007L, Octets.of((byte) 1, (byte) 2, (byte) 3))));

    private static DeviceParts decode(String hex) throws DevicePartsException {
        return DeviceParts.decode(MemorySegment.ofArray(HexFormat.of().parseHex(hex)));
    }

    private static void refused(String hex, long offset, String words) {
        assertThatThrownBy(() -> decode(hex)).isInstanceOfSatisfying(DevicePartsException.class, e -> {
            assertThat(e.offset()).isEqualTo(offset);
            assertThat(e).hasMessageContaining(words);
        });
    }

    @Test
    void theStreamIsTheStandardsByteByByte() throws Exception {
        assertThat(HexFormat.of().formatHex(PARTS.encode())).isEqualTo(ALL);
        assertThat(decode(ALL)).isEqualTo(PARTS);
        assertThat(decode("").parts()).isEmpty();
        assertThat(PARTS.find(DevicePart.Status.class)).contains(new DevicePart.Status(15));
        assertThat(PARTS.queues()).hasSize(1);
    }

    @Test
    void theOrderIsKept() throws Exception {
        assertThat(HexFormat.of().formatHex(decode(QUEUE + STATUS).encode())).isEqualTo(QUEUE + STATUS);
    }

    @Test
    void noPrefixButBetweenPartsIsAStream() throws Exception {
        byte[] all = HexFormat.of().parseHex(ALL);
        int whole = 0;
        for (int length = 0; length < all.length; length++) {
            byte[] prefix = Arrays.copyOf(all, length);
            try {
                assertThat(DeviceParts.decode(MemorySegment.ofArray(prefix)).encode())
                        .isEqualTo(prefix);
                whole++;
            } catch (DevicePartsException e) {
                assertThat(e.offset()).isLessThanOrEqualTo(length);
            }
        }
        assertThat(whole).isEqualTo(7);
    }

    @Test
    void whatIsNotTheStandardsIsRefusedWhereItIs() {
        refused(UNKNOWN.replaceFirst("000401", "000400"), 0, "mandatory part 0x400 is unknown");
        refused(STATUS + UNKNOWN.replaceFirst("000401", "000403"), 17 + 2, "reserved bits");
        refused(STATUS.replaceFirst("03010000", "03010001"), 2, "reserved bits");
        refused(STATUS.replaceFirst("03010000", "03010100"), 2, "has to be mandatory");
        refused(DEVICE_FEATURES.replaceFirst("000101", "000100"), 2, "has to be optional");
        refused("0301" + "0000" + "0100000000000000" + "01000000" + "0f", 4, "selector");
        refused(QUEUE.replaceFirst("0100000000000000", "0100010000000000"), 4, "selector");
        refused("0301" + "0000" + "0000000000000000" + "02000000" + "0f", 12, "of which 1 are there");
        refused("0301" + "0000" + "0000000000000000" + "ffffffff" + "0f", 12, "4294967295 bytes");
        refused("03010000" + "0000000000000000" + "02000000" + "0f0f", 12, "not 1");
        refused("01010000" + "0000000000000000" + "00000000", 12, "1 to 16 words");
        refused("01010000" + "0000000000000000" + "04000000" + "00000000", 12, "1 to 16 words");
        refused(STATUS + STATUS, 17, "comes twice");
        refused(QUEUE.replaceFirst("ffff0100", "ffff0200"), 20, "enabled 2");
        refused(NOTIFY.substring(0, NOTIFY.length() - 2) + "01", 20, "reserved");
        refused(PCI.replaceFirst("12000000", "40000000"), 0, "no field");
        refused("0301", 0, "no part's header");
    }

    @Test
    void aStreamOfWhateverBytesIsRefusedOrReadExactly() {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(14);
        byte[] all = HexFormat.of().parseHex(ALL);
        int read = 0;
        for (int i = 0; i < 10_000; i++) {
            byte[] bytes = all.clone();
            for (int flips = random.nextInt(4); flips >= 0; flips--) {
                bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            }
            try {
                assertThat(DeviceParts.decode(MemorySegment.ofArray(bytes)).encode())
                        .isEqualTo(bytes);
                read++;
            } catch (DevicePartsException e) {
                assertThat(e).hasMessageContaining("at byte");
            }
        }
        assertThat(read).isBetween(1000, 9000);
    }

    @Test
    void boundsHoldInBothDirections() {
        assertThatThrownBy(() -> DeviceParts.decode(MemorySegment.ofArray(new byte[DeviceParts.MAX_BYTES + 1])))
                .isInstanceOf(DevicePartsException.class);
        assertThatThrownBy(() -> new DeviceParts(List.of(new DevicePart.Status(256))).encode())
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new DeviceParts(List.of(new DevicePart.DriverFeatures(List.of()))).encode())
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(
                        () -> new DeviceParts(List.of(new DevicePart.QueueConfiguration(65536, 1, 0, false, 0, 0, 0)))
                                .encode())
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(
                        () -> new DeviceParts(Collections.nCopies(DeviceParts.MAX_PARTS + 1, new DevicePart.Status(0)))
                                .encode())
                .isInstanceOf(IllegalArgumentException.class);
    }
}
