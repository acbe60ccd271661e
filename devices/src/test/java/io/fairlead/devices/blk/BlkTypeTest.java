package io.fairlead.devices.blk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.DeviceListener;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.preflight.Preflight;
import io.fairlead.vdpa.preflight.Verdict;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BlkTypeTest {
    private static final long SEED = 7;

    /** Without these a disk does not say how it is. */
    private static final long KEPT = Feature.VERSION_1 | BlkConfig.F_BLK_SIZE | BlkConfig.F_TOPOLOGY | BlkConfig.F_RO;

    @Test
    void readsAllAttributes() {
        BlkSettings settings = BlkType.settings(Map.of(
                "path",
                "/a",
                "read-only",
                "on",
                "direct",
                "on",
                "locked",
                "off",
                "discard",
                "off",
                "queues",
                "4",
                "queue-size",
                "512",
                "serial",
                "x",
                "block-size",
                "4096"));
        assertThat(settings)
                .isEqualTo(new BlkSettings(Path.of("/a"), true, true, false, 4, 512, "x", 4096, 0, false, "", -1, 0));
        assertThat(BlkType.settings(Map.of("path", "/a", "volume", "db 7", "features", "0x8000000100000000")))
                .isEqualTo(BlkSettings.of(Path.of("/a")).withVolume("db 7").withFeatures(1L << 32 | 1L << 63));
        assertThat(BlkType.settings(Map.of("path", "/a", "features", "4294967297"))
                        .features())
                .isEqualTo(1L << 32 | 1);
        assertThat(BlkType.settings(Map.of("path", "/a", "physical-block-size", "8192"))
                        .physicalBlockSizeBytes())
                .isEqualTo(8192);
        assertThat(BlkType.settings(Map.of("path", "/a", "delay-millis", "30")).delayMillis())
                .isEqualTo(30);
        assertThat(BlkType.settings(Map.of("path", "/a"))).isEqualTo(BlkSettings.of(Path.of("/a")));
    }

    @ParameterizedTest
    @CsvSource({
        "read-only, yes, neither on nor off",
        "queues, 0, 1..64",
        "physical-block-size, 256, power of two",
        "queues, many, not a number",
        "queue-size, 100, power of two",
        "serial, 123456789012345678901, 20",
        "block-size, 513, '512, 1024, 2048, 4096'",
        "features, 0xg, not a number",
        "features, 0x10000000000000000, not a number",
        "features, 0x200, VERSION_1",
        "delay-millis, 60001, 0..60000",
        "colour, red, 'it has: path, read-only'",
    })
    void saysWhatIsWrong(String key, String value, String hint) {
        assertThatThrownBy(() -> BlkType.settings(Map.of("path", "/a", key, value)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(key)
                .hasMessageContaining(hint);
    }

    @Test
    void needsAPath() {
        assertThatThrownBy(() -> BlkType.settings(Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("path");
    }

    /** A disk of any shape, and one that was made with nothing but what its profile says. */
    @Test
    void makesADiskLikeAnother(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
        Random random = new Random(SEED);
        try (EventLoopGroup loops = new EventLoopGroup(1)) {
            BlkType type = new BlkType();
            for (int i = 0; i < 100; i++) {
                int blockBytes = 512 << random.nextInt(4);
                BlkSettings settings = BlkSettings.of(image)
                        .withLocked(false)
                        .withReadOnly(random.nextInt(4) == 0)
                        .withDiscard(random.nextBoolean())
                        .withQueueCount(1 + random.nextInt(8))
                        .withQueueSize(4 << random.nextInt(8))
                        .withSerial(random.nextBoolean() ? "" : "s" + i)
                        .withBlockSizeBytes(blockBytes)
                        .withPhysicalBlockSizeBytes(blockBytes << random.nextInt(3))
                        .withFeatures(random.nextLong() | KEPT);
                DeviceProfile wanted;
                try (BlkDevice disk = BlkDevice.create("disk", settings, loops)) {
                    wanted = DeviceProfile.of(disk);
                }
                Map<String, String> attributes = new HashMap<>(type.attributesLike(wanted));
                attributes.put("path", image.toString());
                attributes.put("locked", "off");
                try (VdpaDevice made = type.create("disk", attributes, loops)) {
                    DeviceProfile profile = DeviceProfile.of(made);
                    assertThat(profile.deviceFeatures()).as("%s", settings).isEqualTo(wanted.deviceFeatures());
                    assertThat(profile.queues()).as("%s", settings).isEqualTo(wanted.queues());
                    assertThat(Preflight.compare(wanted, profile))
                            .as("%s", settings)
                            .allMatch(verdict -> verdict.outcome() == Verdict.Outcome.OK);
                }
            }
        }
    }

    @Test
    void saysWhatItStandsForAndOffersWhatItMay(@TempDir Path folder) throws Exception {
        Path file = Files.write(folder.resolve("a"), new byte[512]);
        BlkSettings settings = BlkSettings.of(file).withSerial("s1");
        try (EventLoopGroup loops = new EventLoopGroup(1)) {
            try (BlkDevice device = BlkDevice.create("disk", settings, loops)) {
                assertThat(device.identity()).containsEntry("serial", "s1");
                assertThat(device.identity().get("volume")).startsWith("file:");
                assertThat(device.deviceFeatures() & BlkConfig.F_DISCARD).isNotZero();
            }
            long mask = Feature.VERSION_1 | BlkConfig.F_FLUSH | 1L << 62;
            try (BlkDevice device =
                    BlkDevice.create("disk", settings.withVolume("db 7").withFeatures(mask), loops)) {
                assertThat(device.identity()).containsEntry("volume", "db 7");
                assertThat(device.deviceFeatures()).isEqualTo(Feature.VERSION_1 | BlkConfig.F_FLUSH);
            }
        }
    }

    /** Nothing that another node says is believed: the values are judged as a user's are. */
    @Test
    void refusesToBeLikeWhatCannotBe() {
        BlkType type = new BlkType();
        DeviceProfile strange = new DeviceProfile(
                "d",
                "",
                DeviceId.BLOCK,
                Feature.VERSION_1 | BlkConfig.F_BLK_SIZE | BlkConfig.F_TOPOLOGY,
                0,
                List.of(new DeviceProfile.Queue(100, 0)),
                Octets.of(new byte[] {1, 2, 3}),
                new TreeMap<>(),
                new TreeSet<>());
        assertThat(type.attributesLike(strange))
                .containsEntry("queue-size", "128")
                .doesNotContainKey("block-size");
        byte[] config = new byte[BlkConfig.BYTES];
        Arrays.fill(config, (byte) 0xff);
        DeviceProfile all = new DeviceProfile(
                "d",
                "",
                DeviceId.BLOCK,
                -1,
                0,
                List.of(),
                Octets.of(config),
                new TreeMap<>(Map.of("serial", "a serial that is far too long for a disk")),
                new TreeSet<>());
        Map<String, String> attributes = new HashMap<>(type.attributesLike(all));
        attributes.put("path", "/a");
        assertThatThrownBy(() -> BlkType.settings(attributes)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void growsWhileItIsThereAndShrinksOnlyWhenForced(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
        BlkType type = new BlkType();
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice disk = BlkDevice.create("disk0", BlkSettings.of(image), loops)) {
            AtomicInteger told = new AtomicInteger();
            disk.listener(new DeviceListener() {
                @Override
                public void configChanged() {
                    told.incrementAndGet();
                }

                @Override
                public void needsReset(String reason) {}
            });
            type.change(disk, Map.of("size", "2M"), false);
            assertThat(disk.byteCount()).isEqualTo(2 << 20);
            assertThat(Files.size(image)).isEqualTo(2 << 20);
            assertThatThrownBy(() -> type.change(disk, Map.of("size", "1M"), false))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("disk0", "cut off", "--force");
            type.change(disk, Map.of("size", "1M"), true);
            assertThat(disk.byteCount()).isEqualTo(1 << 20);
            assertThat(Files.size(image)).as("nothing is thrown away").isEqualTo(2 << 20);
            type.change(disk, Map.of("size", "storage"), false);
            assertThat(disk.byteCount()).isEqualTo(2 << 20);
            assertThat(told.get()).isEqualTo(3);
            assertThatThrownBy(() -> type.change(disk, Map.of("size", "3M", "serial", "x"), false))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("disk0", "serial", "this can: size");
            assertThat(disk.byteCount()).isEqualTo(2 << 20);
            for (String wrong : List.of("", "M", "-1", "0", "1X", "9999999999T", "1000")) {
                assertThatThrownBy(() -> type.change(disk, Map.of("size", wrong), true))
                        .as(wrong)
                        .isInstanceOfAny(IllegalArgumentException.class, IOException.class);
            }
            assertThat(told.get()).isEqualTo(3);
        }
    }

    @Test
    void followsASourceThatGrewAsFarAsItsStorageDid(@TempDir Path folder) throws Exception {
        Path image = Files.write(folder.resolve("disk.img"), new byte[1 << 20]);
        BlkSettings settings = BlkSettings.of(image).withLocked(false);
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice source = BlkDevice.create("disk0", settings, loops);
                BlkDevice destination = BlkDevice.create("disk0", settings, loops)) {
            destination.follow(Octets.of((byte) 0xff));
            destination.follow(config(1L << 40));
            assertThat(destination.byteCount()).as("the storage has no more").isEqualTo(1 << 20);
            source.resize(2 << 20);
            destination.follow(DeviceProfile.of(source).config());
            assertThat(destination.byteCount()).isEqualTo(2 << 20);
            destination.follow(config(1));
            assertThat(destination.byteCount()).as("it never shrinks").isEqualTo(2 << 20);
            assertThat(Files.size(image)).isEqualTo(2 << 20);
        }
    }

    private static Octets config(long sectors) {
        byte[] bytes = new byte[BlkConfig.BYTES];
        BlkConfig.CAPACITY_SECTORS.write(MemorySegment.ofArray(bytes), sectors);
        return Octets.of(bytes);
    }

    @Test
    void aDiskThatWasResizedIsMadeOfWhatItWasMadeOf() {
        Map<String, String> made = Map.of("path", "/images/a", "queues", "2");
        assertThat(new BlkType().changed(made, Map.of("size", "2G"))).isEqualTo(made);
    }
}
