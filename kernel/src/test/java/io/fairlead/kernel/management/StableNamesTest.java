package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StableNamesTest {
    private static final String MAC = "52:54:00:12:34:56";

    @TempDir
    private Path folder;

    private static DeviceInfo device(String name, int deviceId) {
        return new DeviceInfo(
                name,
                new ManagementDeviceName(null, "vduse"),
                deviceId,
                OptionalLong.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalInt.empty());
    }

    @Test
    void cardsAreKnownByTheirMacAddressAndOthersByName() {
        assertThat(StableNames.of(
                                List.of(device("a", 1), device("b", 2), device("c", 26), device("d", 1)),
                                Map.of("a", MAC))
                        .keySet())
                .containsExactly("net-" + MAC, "blk-b", "fs-c", "net-d");
    }

    @Test
    void addressesThatAreNoneOrNotTheirOwnNameNobody() {
        assertThat(StableNames.of(
                                List.of(device("a", 1), device("b", 1), device("c", 1)),
                                Map.of("a", MAC, "b", MAC, "c", "00:00:00:00:00:00"))
                        .keySet())
                .containsExactly("net-a", "net-b", "net-c");
    }

    @Test
    void devicesAreFoundByEitherName() throws IOException {
        SequencedMap<String, DeviceInfo> names =
                StableNames.of(List.of(device("a", 1), device("blk-a", 2), device("blk-blk-a", 2)), Map.of("a", MAC));
        for (String name : new String[] {"a", "net-" + MAC, "net/" + MAC}) {
            assertThat(StableNames.find(names, name).name()).isEqualTo("a");
        }
        // The bus's own name goes first.
        assertThat(StableNames.find(names, "blk-blk-a").name()).isEqualTo("blk-blk-a");
        assertThat(StableNames.resolve(names, "nobody")).isEqualTo("nobody");
        assertThatThrownBy(() -> StableNames.find(names, "nobody"))
                .hasMessage(
                        "vDPA device nobody does not exist; there are: net-%s (a), blk-blk-a (blk-a),".formatted(MAC)
                                + " blk-blk-blk-a (blk-blk-a)");
    }

    @Test
    void theCharacterDeviceIsThatOfNow() throws IOException {
        FakeSys sys = new FakeSys(folder);
        sys.device("blk0");
        sys.driver(VdpaBus.VIRTIO_VDPA);
        sys.bound("blk0", VdpaBus.VIRTIO_VDPA);
        FakeKernel kernel = new FakeKernel()
                .answer(VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, FakeKernel.device("blk0", 2));
        assertThatThrownBy(() -> StableNames.characterDevice(kernel.family(), sys.vdpaBus(), "blk-blk0"))
                .hasMessage("vDPA device blk-blk0 has no character device: virtio_vdpa has it; give it to vhost_vdpa:"
                        + " fairlead dev bind blk0");
        Files.createDirectory(sys.bus.resolve("devices/blk0/vhost-vdpa-5"));
        assertThat(StableNames.characterDevice(kernel.family(), sys.vdpaBus(), "blk-blk0"))
                .isEqualTo(sys.dev.resolve("vhost-vdpa-5"));
    }

    @Test
    void linksFollowTheDevices() throws IOException {
        FakeSys sys = new FakeSys(folder);
        for (String name : new String[] {"a", "b"}) {
            sys.device(name);
        }
        Files.createDirectory(sys.bus.resolve("devices/a/vhost-vdpa-0"));
        Files.createDirectory(sys.bus.resolve("devices/b/vhost-vdpa-1"));
        Path first = Files.createFile(sys.dev.resolve("vhost-vdpa-0"));
        Path second = Files.createFile(sys.dev.resolve("vhost-vdpa-1"));
        Path links = folder.resolve("dev/fairlead");
        String owner = Files.getOwner(first).getName();
        String group =
                Files.readAttributes(first, PosixFileAttributes.class).group().getName();
        DeviceNodes nodes = DeviceNodes.in(
                sys.vdpaBus(),
                links,
                DevicePermissions.parse(List.of("# comment", "", "net %s:%s 0640".formatted(owner, group)), "test"));
        Files.setPosixFilePermissions(second, PosixFilePermissions.fromString("rw-------"));
        assertThat(nodes.settle(StableNames.of(List.of(device("a", 1), device("b", 2)), Map.of("a", MAC))))
                .containsExactly(Map.entry("a", links.resolve("net-" + MAC)), Map.entry("b", links.resolve("blk-b")));
        assertThat(Files.readSymbolicLink(links.resolve("net-" + MAC))).isEqualTo(first);
        assertThat(Files.readSymbolicLink(links.resolve("blk-b"))).isEqualTo(second);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(first)))
                .isEqualTo("rw-r-----");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(second)))
                .isEqualTo("rw-------");

        // The number now means another device; one is gone; what is not ours stays.
        Files.writeString(links.resolve("note"), "mine");
        Files.createSymbolicLink(links.resolve("other"), Path.of("/dev/null"));
        Files.move(sys.bus.resolve("devices/b/vhost-vdpa-1"), sys.bus.resolve("devices/b/vhost-vdpa-0"));
        assertThat(nodes.settle(StableNames.of(List.of(device("b", 2)), Map.of())))
                .containsOnlyKeys("b");
        assertThat(Files.readSymbolicLink(links.resolve("blk-b"))).isEqualTo(first);
        assertThat(Files.exists(links.resolve("net-" + MAC), LinkOption.NOFOLLOW_LINKS))
                .isFalse();
        assertThat(Sysfs.names(links)).containsExactly("blk-b", "note", "other");
    }

    @Test
    void rulesThatCannotBeAreRefused() throws IOException {
        for (String line : new String[] {
            "net",
            "net root 0660",
            "net root:kvm",
            "net root:kvm 0999",
            "net root:kvm 4660",
            "net :kvm 660",
            "net a:b:c 660"
        }) {
            assertThatThrownBy(() -> DevicePermissions.parse(List.of("", line), "rules"))
                    .hasMessageContaining("rules, line 2: '%s' is not".formatted(line));
        }
        assertThatThrownBy(() -> DevicePermissions.parse(List.of("* a:b 600", "* a:b 600"), "rules"))
                .hasMessageContaining("line 2: there is a rule for * already");
        assertThatThrownBy(() -> DevicePermissions.read(folder.resolve("none"))).hasMessageContaining("no such file");
        DevicePermissions all = DevicePermissions.parse(List.of("* nobody-such:root 600"), "rules");
        assertThat(all.of("gpu")).isPresent();
        Path node = Files.createFile(folder.resolve("node"));
        assertThatThrownBy(() -> all.apply("gpu", node)).hasMessageContaining("this host has no user 'nobody-such'");
        DevicePermissions.NONE.apply("gpu", node);
    }
}
