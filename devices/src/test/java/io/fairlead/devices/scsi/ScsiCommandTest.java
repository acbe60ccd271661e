package io.fairlead.devices.scsi;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.ScsiRequest;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each command by a driver's rings: what is right, and each way to get it wrong. */
class ScsiCommandTest {
    private static final int BYTES = 4 << 20;
    private static final int LAST = BYTES / 512 - 1;
    private static final String READY = "00 00 00 00 00 00";

    @TempDir
    Path folder;

    private EventLoopGroup loops;
    private ScsiDevice device;
    private Guest guest;
    private Initiator initiator;
    private byte[] content;
    private Path image;

    @BeforeEach
    void make() throws IOException {
        content = new byte[BYTES];
        new Random(5).nextBytes(content);
        image = Files.write(folder.resolve("a.img"), content);
        Files.write(folder.resolve("b.img"), new byte[8192]);
        loops = new EventLoopGroup(1);
        device = ScsiDevice.create(
                "s0",
                ScsiType.settings(Map.of(
                        "lun0",
                        image.toString(),
                        "lun0.serial",
                        "A1",
                        "lun300",
                        folder.resolve("b.img").toString(),
                        "lun300.read-only",
                        "on",
                        "lun300.block-size",
                        "4096")),
                loops);
        guest = new Guest(device, Initiator.memoryBytes(3), 64, 0);
        guest.start(device.deviceFeatures());
        initiator = new Initiator(guest);
        initiator.clearAttentions(0);
        initiator.clearAttentions(300);
    }

    @AfterEach
    void close() throws IOException {
        device.close();
        guest.close();
        loops.close();
    }

    private byte[] stored(int offset, int count) throws IOException {
        return Arrays.copyOfRange(Files.readAllBytes(image), offset, offset + count);
    }

    private static byte[] random(int count) {
        byte[] bytes = new byte[count];
        new Random(9).nextBytes(bytes);
        return bytes;
    }

    private static long u(byte[] data, int offset, int count) {
        long value = 0;
        for (int i = 0; i < count; i++) {
            value = (value << 8) | (data[offset + i] & 0xff);
        }
        return value;
    }

    // ---- addresses ----

    @Test
    void aUnitThatIsNotThereSaysSo() throws IOException {
        initiator.call(1, READY).fails(Sense.UNIT_NOT_SUPPORTED);
        initiator.in(1, "28 00 00000000 00 0001 00", 512).fails(Sense.UNIT_NOT_SUPPORTED);
        Initiator.Answer inquiry = initiator.in(1, "12 00 00 00 24 00", 36);
        inquiry.isGood();
        assertThat(inquiry.data()[0]).isEqualTo((byte) 0x7f);
        Initiator.Answer sense = initiator.in(1, "03 00 00 00 12 00", 18);
        assertThat(sense.data()[12]).isEqualTo((byte) 0x25);
        assertThat(initiator.in(1, "a0 00 00 00 00 00 00000200 00 00", 512).data()[3])
                .isEqualTo((byte) 16);
    }

    @Test
    void unitsAreAddressedByBothForms() throws IOException {
        byte[] ready = Initiator.cdb(READY);
        initiator.call(1L, ready, new byte[0], 0).isGood();
        initiator.call(0x40_0001L, ready, new byte[0], 0).isGood();
        assertThat(ScsiRequest.address(0)).isEqualTo(1);
        assertThat(ScsiRequest.address(255)).isEqualTo(0xff00_0001L);
        for (int lun : new int[] {0, 1, 255, 256, 300, ScsiRequest.MAX_LUN}) {
            assertThat(ScsiRequest.lun(ScsiRequest.address(lun))).isEqualTo(lun);
        }
        for (long address : new long[] {0, 2, 0x0101, 0x80_0001, 0xc0_0001, 0x01_0001, (1L << 40) | 1}) {
            assertThat(initiator.call(address, ready, new byte[0], 0).response())
                    .as("%x", address)
                    .isEqualTo(ScsiRequest.RESPONSE_BAD_TARGET);
        }
    }

    @Test
    void listsItsUnits() throws IOException {
        Initiator.Answer answer = initiator.in(0, "a0 00 00 00 00 00 00000100 00 00", 256);
        answer.isGood();
        assertThat(HexFormat.of().formatHex(answer.data()))
                .isEqualTo("0000001000000000" + "0000000000000000" + "412c000000000000");
        assertThat(answer.residual()).isEqualTo(256 - 24);
        assertThat(initiator.in(0, "a0 00 01 00 00 00 00000100 00 00", 256).data())
                .isEqualTo(new byte[8]);
        initiator.in(0, "a0 00 03 00 00 00 00000100 00 00", 256).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.in(0, "a0 00 00 00 00 00 0000000f 00 00", 256).fails(Sense.INVALID_FIELD_IN_CDB);
    }

    // ---- what it is ----

    @Test
    void inquiry() throws IOException {
        Initiator.Answer answer = initiator.in(0, "12 00 00 00 60 00", 96);
        answer.isGood();
        assertThat(new String(answer.data(), 8, 24, StandardCharsets.US_ASCII)).isEqualTo("FAIRLEADSCSI DISK       ");
        assertThat(answer.data()[2]).isEqualTo((byte) 6);
        assertThat(initiator.in(0, "12 00 00 00 05 00", 5).data()).isEqualTo(Arrays.copyOf(answer.data(), 5));
        Initiator.Answer none = initiator.in(0, "12 00 00 00 00 00", 0);
        none.isGood();
        initiator.in(0, "12 00 80 00 60 00", 96).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.in(0, "12 02 00 00 60 00", 96).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.in(0, "12 01 42 00 60 00", 96).fails(Sense.INVALID_FIELD_IN_CDB);
    }

    @Test
    void vitalProductData() throws IOException {
        assertThat(initiator.in(0, "12 01 00 00 ff 00", 255).data())
                .isEqualTo(HexFormat.of().parseHex("00000006008083b0b1b2"));
        byte[] serial = initiator.in(0, "12 01 80 00 ff 00", 255).data();
        assertThat(new String(serial, 4, serial.length - 4, StandardCharsets.US_ASCII))
                .isEqualTo("A1");
        byte[] id = initiator.in(0, "12 01 83 00 ff 00", 255).data();
        assertThat(u(id, 2, 2)).isEqualTo(id.length - 4);
        assertThat(id[8] >> 4).as("NAA").isEqualTo(3);
        assertThat(new String(id, 20, 10, StandardCharsets.US_ASCII)).isEqualTo("FAIRLEADA1");
        byte[] limits = initiator.in(0, "12 01 b0 00 ff 00", 255).data();
        assertThat(limits).hasSize(64);
        assertThat(u(limits, 2, 2)).isEqualTo(60);
        assertThat(u(limits, 8, 4)).isEqualTo((64 << 20) / 512);
        assertThat(u(limits, 20, 4)).isEqualTo((1L << 31) / 512);
        assertThat(u(limits, 36, 8)).isEqualTo((32 << 20) / 512);
        assertThat(u(initiator.in(300, "12 01 b0 00 ff 00", 255).data(), 20, 4)).isZero();
        byte[] rotation = initiator.in(0, "12 01 b1 00 ff 00", 255).data();
        assertThat(u(rotation, 0, 6)).isEqualTo(0x00b1_003c_0001L);
        assertThat(initiator.in(0, "12 01 b2 00 ff 00", 255).data())
                .isEqualTo(HexFormat.of().parseHex("00b2000400e40200"));
        assertThat(initiator.in(300, "12 01 b2 00 ff 00", 255).data())
                .isEqualTo(HexFormat.of().parseHex("00b2000400000000"));
    }

    @Test
    void capacity() throws IOException {
        assertThat(initiator.in(0, "25 00 00000000 0000 00 00", 8).data())
                .isEqualTo(ByteBuffer.allocate(8).putInt(LAST).putInt(512).array());
        byte[] more =
                initiator.in(0, "9e 10 0000000000000000 00000020 00 00", 32).data();
        assertThat(u(more, 0, 8)).isEqualTo(LAST);
        assertThat(u(more, 8, 4)).isEqualTo(512);
        assertThat(more[13]).as("eight to a physical block").isEqualTo((byte) 3);
        assertThat(more[14]).as("given back, reads as zeros").isEqualTo((byte) 0xc0);
        byte[] other =
                initiator.in(300, "9e 10 0000000000000000 00000020 00 00", 32).data();
        assertThat(u(other, 0, 12)).isEqualTo((1L << 32) | 4096);
        assertThat(other[14]).isZero();
        initiator.in(0, "9e 11 0000000000000000 00000020 00 00", 32).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.in(0, "25 00 00000001 0000 00 00", 8).fails(Sense.INVALID_FIELD_IN_CDB);
        assertThat(initiator.in(0, "25 00 00000000 0000 00 00", 7).response()).isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
    }

    @Test
    void operationCodes() throws IOException {
        byte[] all = initiator.in(0, "a3 0c 00 00 0000 00001000 00 00", 4096).data();
        assertThat(all).hasSize(4 + 8 * CommandTable.entries().size());
        assertThat(u(all, 0, 4)).isEqualTo(all.length - 4);
        byte[] timeouts =
                initiator.in(0, "a3 0c 80 00 0000 00001000 00 00", 4096).data();
        assertThat(timeouts).hasSize(4 + 20 * CommandTable.entries().size());
        assertThat(initiator.in(0, "a3 0c 01 28 0000 00000100 00 00", 256).data())
                .isEqualTo(HexFormat.of().parseHex("0003000a" + "2818ffffffff00ffff00"));
        assertThat(initiator.in(0, "a3 0c 01 29 0000 00000100 00 00", 256).data())
                .isEqualTo(HexFormat.of().parseHex("00010000"));
        initiator.in(0, "a3 0c 01 5e 0000 00000100 00 00", 256).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.in(0, "a3 0c 02 28 0000 00000100 00 00", 256).fails(Sense.INVALID_FIELD_IN_CDB);
        assertThat(initiator.in(0, "a3 0c 02 9e 0010 00000100 00 00", 256).data()[1])
                .isEqualTo((byte) 3);
        assertThat(initiator.in(0, "a3 0c 03 9e 0011 00000100 00 00", 256).data()[1])
                .isEqualTo((byte) 1);
        initiator.in(0, "a3 0c 04 28 0000 00000100 00 00", 256).fails(Sense.INVALID_FIELD_IN_CDB);
        assertThat(initiator.in(0, "a3 0d 00 00 0000 00000004 00 00", 4).data())
                .isEqualTo(HexFormat.of().parseHex("d9050000"));
    }

    /** Every command, a bit that it does not know set, one after another. */
    @Test
    void reservedBitsAreRefused() throws IOException {
        for (CommandTable.Entry entry : CommandTable.entries()) {
            byte[] usage = entry.usage().toArray();
            for (int bit = 8; bit < 8 * usage.length; bit++) {
                byte[] cdb = new byte[usage.length];
                cdb[0] = usage[0];
                if (entry.action() >= 0) {
                    cdb[1] = (byte) entry.action();
                }
                int used = bit / 8 == 1 && entry.action() >= 0 ? 0x1f : usage[bit / 8];
                if ((used & (1 << (bit % 8))) == 0) {
                    cdb[bit / 8] |= (byte) (1 << (bit % 8));
                    initiator.call(0, cdb, new byte[0], 0).fails(Sense.INVALID_FIELD_IN_CDB);
                }
            }
        }
        initiator.call(0, "ff 00 00 00 00 00").fails(Sense.INVALID_OPCODE);
        initiator.call(0, "5f 07 00 00 00 00000000 00").fails(Sense.INVALID_FIELD_IN_CDB);
    }

    // ---- reading and writing ----

    @ParameterizedTest
    @CsvSource({
        "08 00 00 10 04 00, 2048",
        "28 00 00000010 00 0004 00, 2048",
        "a8 00 00000010 00000004 00 00, 2048",
        "88 00 0000000000000010 00000004 00 00, 2048",
        "28 18 00000010 00 0004 00, 2048",
        "08 00 00 10 00 00, 131072",
    })
    void reads(String cdb, int count) throws IOException {
        Initiator.Answer answer = initiator.in(0, cdb, count);
        answer.isGood();
        assertThat(answer.data()).isEqualTo(Arrays.copyOfRange(content, 16 * 512, 16 * 512 + count));
    }

    @Test
    void whatIsLeftOfABufferIsTold() throws IOException {
        Initiator.Answer answer = initiator.in(0, "28 00 00000000 00 0001 00", 4096);
        answer.isGood();
        assertThat(answer.residual()).isEqualTo(4096 - 512);
        assertThat(answer.data()).isEqualTo(Arrays.copyOf(content, 512));
        assertThat(initiator.in(0, "28 00 00000000 00 0002 00", 512).response())
                .isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
        assertThat(initiator.out(0, "2a 00 00000000 00 0002 00", new byte[512]).response())
                .isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
        initiator.call(0, "28 00 00000000 00 0000 00").isGood();
    }

    @ParameterizedTest
    @CsvSource({
        "0a 00 00 20 03 00",
        "2a 00 00000020 00 0003 00",
        "aa 00 00000020 00000003 00 00",
        "8a 00 0000000000000020 00000003 00 00",
        "2a 18 00000020 00 0003 00",
    })
    void writes(String cdb) throws IOException {
        byte[] data = random(1536);
        initiator.out(0, cdb, data).isGood();
        assertThat(stored(32 * 512, 1536)).isEqualTo(data);
        initiator.out(300, cdb, new byte[3 * 4096]).fails(Sense.WRITE_PROTECTED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"28", "2a", "2f", "41"})
    void blocksBeyondTheEndAreRefused(String opcode) throws IOException {
        byte[] data = new byte[1024];
        initiator.out(0, "%s 00 %08x 00 0002 00".formatted(opcode, LAST), data).fails(Sense.LBA_OUT_OF_RANGE);
        initiator.out(0, "%s 00 ffffffff 00 0001 00".formatted(opcode), data).fails(Sense.LBA_OUT_OF_RANGE);
        initiator
                .out(0, "%s 00 %08x 00 0001 00".formatted(opcode, LAST + 1), data)
                .fails(Sense.LBA_OUT_OF_RANGE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"88", "8a", "8f", "91", "93"})
    void blocksOf64BitsAreNoTrick(String opcode) throws IOException {
        for (String block : new String[] {"8000000000000000", "ffffffffffffffff", "0080000000000000"}) {
            initiator
                    .out(0, "%s 00 %s 00000001 00 00".formatted(opcode, block), new byte[512])
                    .fails(Sense.LBA_OUT_OF_RANGE);
        }
        initiator
                .out(0, "%s 00 0000000000000000 ffffffff 00 00".formatted(opcode), new byte[512])
                .fails(Sense.LBA_OUT_OF_RANGE);
    }

    @Test
    void verifies() throws IOException {
        byte[] same = Arrays.copyOf(content, 2048);
        initiator.call(0, "2f 00 00000000 00 0010 00").isGood();
        initiator.out(0, "2f 02 00000000 00 0004 00", same).isGood();
        same[2047]++;
        initiator.out(0, "2f 02 00000000 00 0004 00", same).fails(Sense.MISCOMPARE);
        initiator.out(0, "8f 02 0000000000000000 00000003 00 00", same).isGood();
        initiator.out(0, "2f 04 00000000 00 0004 00", same).fails(Sense.INVALID_FIELD_IN_CDB);
        byte[] block = random(512);
        initiator.out(0, "41 00 00000100 00 0008 00", block).isGood();
        initiator.out(0, "af 06 00000100 00000008 00 00", block).isGood();
        initiator.out(0, "af 06 00000100 00000009 00 00", block).fails(Sense.MISCOMPARE);
        assertThat(initiator.out(0, "2f 02 00000000 00 0004 00", new byte[512]).response())
                .isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
    }

    @Test
    void synchronizes() throws IOException {
        initiator.call(0, "35 00 00000000 00 0000 00").isGood();
        initiator.call(0, "35 02 00000010 00 0004 00").isGood();
        initiator.call(0, "91 00 0000000000000000 00000000 00 00").isGood();
        initiator.call(0, "35 00 %08x 00 0002 00".formatted(LAST)).fails(Sense.LBA_OUT_OF_RANGE);
    }

    @Test
    void writesTheSame() throws IOException {
        byte[] block = random(512);
        initiator.out(0, "93 00 0000000000000020 00000040 00 00", block).isGood();
        byte[] stored = stored(32 * 512, 64 * 512);
        for (int i = 0; i < 64; i++) {
            assertThat(Arrays.copyOfRange(stored, i * 512, i * 512 + 512)).isEqualTo(block);
        }
        initiator.out(0, "93 08 0000000000000020 00000008 00 00", new byte[512]).isGood();
        initiator.call(0, "93 09 0000000000000028 00000008 00 00").isGood();
        initiator.call(0, "93 01 0000000000000030 00000008 00 00").isGood();
        assertThat(stored(32 * 512, 24 * 512)).isEqualTo(new byte[24 * 512]);
        assertThat(stored(31 * 512, 512)).isEqualTo(Arrays.copyOfRange(content, 31 * 512, 32 * 512));
        initiator.out(0, "41 00 00000020 00 0000 00", block).fails(Sense.INVALID_FIELD_IN_CDB);
        assertThat(initiator.out(0, "41 00 00000020 00 0001 00", new byte[511]).response())
                .isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
        initiator.out(300, "41 00 00000000 00 0001 00", new byte[4096]).fails(Sense.WRITE_PROTECTED);
    }

    private static byte[] unmap(long... blocksAndCounts) {
        ByteBuffer bytes = ByteBuffer.allocate(8 + 8 * blocksAndCounts.length);
        bytes.putShort((short) (bytes.capacity() - 2))
                .putShort((short) (bytes.capacity() - 8))
                .putInt(0);
        for (int i = 0; i < blocksAndCounts.length; i += 2) {
            bytes.putLong(blocksAndCounts[i])
                    .putInt((int) blocksAndCounts[i + 1])
                    .putInt(0);
        }
        return bytes.array();
    }

    private Initiator.Answer unmapped(byte[] parameters) throws IOException {
        return initiator.out(0, "42 00 00000000 00 %04x 00".formatted(parameters.length), parameters);
    }

    @Test
    void givesSpaceBack() throws IOException {
        unmapped(unmap(8, 8, 64, 16, 0, 0)).isGood();
        assertThat(stored(8 * 512, 8 * 512)).isEqualTo(new byte[8 * 512]);
        assertThat(stored(64 * 512, 16 * 512)).isEqualTo(new byte[16 * 512]);
        assertThat(stored(16 * 512, 512)).isEqualTo(Arrays.copyOfRange(content, 16 * 512, 17 * 512));
        unmapped(unmap()).isGood();
        initiator.call(0, "42 00 00000000 00 0000 00").isGood();
        unmapped(unmap(0, 8, LAST, 2)).fails(Sense.LBA_OUT_OF_RANGE);
        assertThat(stored(0, 4096)).as("nothing was done").isEqualTo(Arrays.copyOf(content, 4096));
        unmapped(unmap(-1, 1)).fails(Sense.LBA_OUT_OF_RANGE);
        unmapped(new byte[7]).fails(Sense.PARAMETER_LIST_LENGTH);
        unmapped(unmap(new long[2 * 256])).fails(Sense.INVALID_FIELD_IN_PARAMETERS);
        initiator.out(0, "42 01 00000000 00 0018 00", unmap(0, 1)).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.out(300, "42 00 00000000 00 0018 00", unmap(0, 1)).fails(Sense.WRITE_PROTECTED);
        assertThat(initiator.out(0, "42 00 00000000 00 0028 00", unmap(0, 1)).response())
                .isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
    }

    // ---- mode, power, sense ----

    @Test
    void modesAreShown() throws IOException {
        byte[] all = initiator.in(0, "1a 00 3f 00 ff 00", 255).data();
        assertThat(all).hasSize(4 + 8 + 20 + 12);
        assertThat(all[0]).isEqualTo((byte) (all.length - 1));
        assertThat(all[2]).as("FUA, writable").isEqualTo((byte) 0x10);
        assertThat(u(all, 4, 4)).isEqualTo(LAST + 1);
        assertThat(all[14]).as("write cache").isEqualTo((byte) 4);
        byte[] read = initiator.in(300, "1a 08 08 00 ff 00", 255).data();
        assertThat(read).hasSize(24);
        assertThat(read[2]).isEqualTo((byte) 0x90);
        byte[] ten = initiator.in(0, "5a 10 08 00 000000 00ff 00", 255).data();
        assertThat(ten).hasSize(8 + 16 + 20);
        assertThat(u(ten, 0, 2)).isEqualTo(ten.length - 2);
        assertThat(ten[4]).isEqualTo((byte) 1);
        byte[] changeable = initiator.in(0, "1a 08 7f 00 ff 00", 255).data();
        byte[] expected = new byte[4 + 20 + 12];
        System.arraycopy(new byte[] {35, 0, 0x10, 0, 8, 18, 4}, 0, expected, 0, 7);
        expected[24] = 0x0a;
        expected[25] = 10;
        assertThat(changeable).isEqualTo(expected);
        initiator.in(0, "1a 00 c8 00 ff 00", 255).fails(Sense.SAVING_NOT_SUPPORTED);
        initiator.in(0, "1a 00 1c 00 ff 00", 255).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.in(0, "1a 00 08 01 ff 00", 255).fails(Sense.INVALID_FIELD_IN_CDB);
        assertThat(initiator.in(0, "1a 00 08 00 04 00", 4).data()).hasSize(4);
    }

    @Test
    void theWriteCacheIsSwitched() throws IOException {
        byte[] select = initiator.in(0, "1a 08 08 00 ff 00", 255).data();
        select[0] = 0;
        select[2] = 0;
        select[6] = 0;
        initiator.out(0, "15 10 00 00 18 00", select).isGood();
        assertThat(initiator.in(0, "1a 08 08 00 ff 00", 255).data()[6]).isZero();
        assertThat(initiator.in(0, "1a 08 88 00 ff 00", 255).data()[6])
                .as("default")
                .isEqualTo((byte) 4);
        initiator.out(0, "2a 00 00000000 00 0001 00", new byte[512]).isGood();
        byte[] ten = new byte[28];
        System.arraycopy(select, 4, ten, 8, 20);
        ten[10] = 4;
        initiator.out(0, "55 10 0000000000 001c 00", ten).isGood();
        assertThat(initiator.in(0, "1a 08 08 00 ff 00", 255).data()[6]).isEqualTo((byte) 4);
        initiator.out(0, "15 11 00 00 18 00", select).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.out(0, "15 00 00 00 18 00", select).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.out(0, "15 10 00 00 17 00", select).fails(Sense.PARAMETER_LIST_LENGTH);
        initiator.out(0, "15 10 00 00 03 00", select).fails(Sense.PARAMETER_LIST_LENGTH);
        initiator.out(0, "15 10 00 00 00 00", new byte[0]).isGood();
        select[7] = 1;
        initiator.out(0, "15 10 00 00 18 00", select).fails(Sense.INVALID_FIELD_IN_PARAMETERS);
        select[7] = 0;
        select[4] = 0x1c;
        initiator.out(0, "15 10 00 00 18 00", select).fails(Sense.INVALID_FIELD_IN_PARAMETERS);
        assertThat(initiator.out(0, "15 10 00 00 30 00", select).response()).isEqualTo(ScsiRequest.RESPONSE_OVERRUN);
    }

    @Test
    void stopsAndStarts() throws IOException {
        initiator.call(0, "1b 00 00 00 00 00").isGood();
        initiator.call(0, READY).fails(Sense.NOT_READY_STOPPED);
        initiator.in(0, "28 00 00000000 00 0001 00", 512).fails(Sense.NOT_READY_STOPPED);
        initiator.in(0, "12 00 00 00 24 00", 36).isGood();
        initiator.call(0, "1b 00 00 00 01 00").isGood();
        initiator.call(0, READY).isGood();
        initiator.call(0, "1b 00 00 00 02 00").fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.call(0, "1b 00 00 00 10 00").fails(Sense.INVALID_FIELD_IN_CDB);
    }

    @Test
    void attentionsAreToldOnceAndInOrder() throws IOException {
        assertThat(initiator.manage(0, ScsiRequest.TMF_LOGICAL_UNIT_RESET, 0)).isZero();
        device.units().resize(0, BYTES / 2);
        initiator.in(0, "12 00 00 00 24 00", 36).isGood();
        initiator.call(0, READY).fails(Sense.UNIT_RESET);
        byte[] sense = initiator.in(0, "03 00 00 00 12 00", 18).data();
        assertThat(Arrays.copyOfRange(sense, 12, 14)).isEqualTo(new byte[] {0x2a, 9});
        assertThat(sense[2]).isEqualTo((byte) 6);
        assertThat(initiator.in(0, "03 01 00 00 12 00", 18).data())
                .isEqualTo(HexFormat.of().parseHex("7200000000000000"));
        initiator.call(0, READY).isGood();
        assertThat(u(initiator.in(0, "25 00 00000000 0000 00 00", 8).data(), 0, 4))
                .isEqualTo(BYTES / 2 / 512 - 1);
    }

    @Test
    void reservesAndReleases() throws IOException {
        initiator.call(0, "16 00 00 00 00 00").isGood();
        initiator.call(0, READY).isGood();
        initiator.call(0, "57 00 00000000 00 0000 00").isGood();
        byte[] register = ByteBuffer.allocate(24).putLong(8, 0x1234).array();
        initiator.out(0, "5f 00 00 00 00 00000018 00", register).isGood();
        assertThat(initiator.call(0, "16 00 00 00 00 00").status()).isEqualTo(Command.RESERVATION_CONFLICT);
        assertThat(initiator.in(0, "5e 00 00000000 00 0100 00", 256).data())
                .isEqualTo(HexFormat.of().parseHex("00000001" + "00000008" + "0000000000001234"));
        assertThat(initiator.out(0, "5f 00 00 00 00 00000018 00", register).status())
                .as("its key was not given")
                .isEqualTo(Command.RESERVATION_CONFLICT);
        initiator.out(0, "5f 00 00 00 00 00000010 00", new byte[16]).fails(Sense.PARAMETER_LIST_LENGTH);
        initiator.out(0, "5f 01 02 00 00 00000018 00", register).fails(Sense.INVALID_FIELD_IN_CDB);
        initiator.out(0, "5f 01 11 00 00 00000018 00", register).fails(Sense.INVALID_FIELD_IN_CDB);
    }
}
