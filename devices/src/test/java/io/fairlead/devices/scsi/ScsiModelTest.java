package io.fairlead.devices.scsi;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.devices.base.RingSettings;
import io.fairlead.devices.storage.StorageSettings;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Random commands against plain arrays of bytes, on two units. */
class ScsiModelTest {
    private static final int BLOCKS = 2048;
    private static final int BLOCK_BYTES = 512;
    private static final int COMMANDS = 1500;

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({"1, false, true", "2, true, true", "3, false, false", "4, true, false"})
    void behavesAsArraysOfBytes(long seed, boolean packed, boolean ring) throws IOException {
        Random random = new Random(seed);
        byte[][] model = new byte[2][BLOCKS * BLOCK_BYTES];
        Path[] files = {folder.resolve("0.img"), folder.resolve("1.img")};
        for (int i = 0; i < 2; i++) {
            random.nextBytes(model[i]);
            Files.write(files[i], model[i]);
        }
        ScsiSettings settings = new ScsiSettings(
                RingSettings.ofSize(64),
                1,
                List.of(
                        LunSettings.of(0, files[0]),
                        new LunSettings(
                                1,
                                new StorageSettings(files[1], false, false, true, 0, 0, "", seed == 4 ? 1 : 0),
                                "",
                                true)));
        int commands = seed == 4 ? COMMANDS / 5 : COMMANDS;
        try (EventLoopGroup loops = new EventLoopGroup(1);
                ScsiDevice device = ScsiDevice.create("s0", settings, loops, ring);
                Guest guest = new Guest(device, Initiator.memoryBytes(3), 64, 0)) {
            guest.start(device.deviceFeatures() & ~(packed ? 0 : Feature.RING_PACKED));
            Initiator initiator = new Initiator(guest);
            initiator.clearAttentions(0);
            initiator.clearAttentions(1);
            for (int i = 0; i < commands; i++) {
                int unit = random.nextInt(2);
                one(random, initiator, unit, model[unit]);
            }
            assertThat(device.statistics().total().failedRequests()).isZero();
        }
        for (int i = 0; i < 2; i++) {
            assertThat(Files.readAllBytes(files[i])).isEqualTo(model[i]);
        }
    }

    private static void one(Random random, Initiator initiator, int unit, byte[] model) throws IOException {
        int count = 1 + random.nextInt(64);
        int block = random.nextInt(BLOCKS - count + 1);
        int from = block * BLOCK_BYTES;
        int end = from + count * BLOCK_BYTES;
        byte[] data = new byte[count * BLOCK_BYTES];
        random.nextBytes(data);
        byte[] pattern = random.nextBoolean() ? new byte[BLOCK_BYTES] : Arrays.copyOf(data, BLOCK_BYTES);
        switch (random.nextInt(7)) {
            case 0, 1 -> {
                int spare = random.nextInt(3) * 100;
                Initiator.Answer answer =
                        initiator.call(unit, transfer(random, false, block, count), new byte[0], data.length + spare);
                answer.isGood();
                assertThat(answer.residual()).isEqualTo(spare);
                assertThat(answer.data()).isEqualTo(Arrays.copyOfRange(model, from, end));
            }
            case 2, 3 -> {
                initiator
                        .call(unit, transfer(random, true, block, count), data, 0)
                        .isGood();
                System.arraycopy(data, 0, model, from, data.length);
            }
            case 4 -> {
                String cdb = "93 %02x %016x %08x 00 00".formatted(random.nextBoolean() ? 8 : 0, block, count);
                initiator.out(unit, cdb, pattern).isGood();
                for (int at = from; at < end; at += BLOCK_BYTES) {
                    System.arraycopy(pattern, 0, model, at, BLOCK_BYTES);
                }
            }
            case 5 -> {
                ByteBuffer parameters =
                        ByteBuffer.allocate(24).putShort((short) 22).putShort((short) 16);
                parameters.putLong(8, block).putInt(16, count);
                initiator
                        .out(unit, "42 00 00000000 00 0018 00", parameters.array())
                        .isGood();
                Arrays.fill(model, from, end, (byte) 0);
            }
            default -> {
                byte[] expected = Arrays.copyOfRange(model, from, end);
                String cdb = "8f 02 %016x %08x 00 00".formatted(block, count);
                initiator.out(unit, cdb, expected).isGood();
                expected[random.nextInt(expected.length)]++;
                initiator.out(unit, cdb, expected).fails(Sense.MISCOMPARE);
            }
        }
    }

    private static byte[] transfer(Random random, boolean write, int block, int count) {
        int flags = random.nextInt(4) == 0 ? 8 : 0;
        String cdb = switch (random.nextInt(4)) {
            case 0 -> "%02x %06x %02x 00".formatted(write ? 0x0a : 0x08, block, count);
            case 1 -> "%02x %02x %08x 00 %04x 00".formatted(write ? 0x2a : 0x28, flags, block, count);
            case 2 -> "%02x %02x %08x %08x 00 00".formatted(write ? 0xaa : 0xa8, flags, block, count);
            default -> "%02x %02x %016x %08x 00 00".formatted(write ? 0x8a : 0x88, flags, block, count);
        };
        return Initiator.cdb(cdb);
    }
}
