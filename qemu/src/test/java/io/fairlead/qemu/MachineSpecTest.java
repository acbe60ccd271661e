package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class MachineSpecTest {
    private static final QemuVersion V9_1 = new QemuVersion(9, 1, 0);
    private static final QemuVersion V10 = new QemuVersion(10, 0, 2);
    private static final Path MONITOR = Path.of("/w/qmp.sock");

    @Test
    void parsesBanners() {
        assertThat(QemuVersion.parse("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopy"))
                .hasValue(V10);
        assertThat(QemuVersion.parse("QEMU emulator version 11.1.3")).hasValue(new QemuVersion(11, 1, 3));
        assertThat(QemuVersion.parse("qemu-storage-daemon version 7.2")).hasValue(new QemuVersion(7, 2, 0));
        assertThat(QemuVersion.parse("version 99999.1")).isEmpty();
        assertThat(QemuVersion.parse("")).isEmpty();
        assertThat(V10.isAtLeast(9, 2)).isTrue();
        assertThat(V10.isAtLeast(10, 0)).isTrue();
        assertThat(V10.isAtLeast(10, 1)).isFalse();
    }

    @Test
    void memoryIsSharedAndOfOneSize() {
        List<String> arguments = MachineSpec.builder().memoryMib(384).build().arguments(V10, MONITOR, List.of());
        assertThat(after(arguments, "-m")).isEqualTo("384M");
        assertThat(after(arguments, "-object")).isEqualTo("memory-backend-memfd,id=mem0,share=on,size=384M");
        assertThat(after(arguments, "-machine")).isEqualTo("q35,memory-backend=mem0");
        assertThat(after(arguments, "-qmp")).isEqualTo("unix:/w/qmp.sock,server=on,wait=off");
    }

    @Test
    void commasInPathsCannotEndTheirOption() {
        List<String> arguments = MachineSpec.builder()
                .firmwareFile("opt/x/job", Path.of("/a,b/job"))
                .vhostUser(VhostUserDevice.blk("d0", Path.of("/a,server=on")))
                .build()
                .arguments(V10, MONITOR, List.of(Path.of("/s,0")));
        assertThat(arguments)
                .contains(
                        "name=opt/x/job,file=/a,,b/job",
                        "socket,id=char-d0,path=/a,,server=on",
                        "socket,id=serial0,server=off,path=/s,,0");
    }

    @Test
    void aDiskHasItsPropertiesInOrder() {
        VhostUserDevice disk = VhostUserDevice.blk("d0", Path.of("/s"))
                .with("packed", "on")
                .with("num-queues", 4)
                .with("bootindex", 1)
                .with("num-queues", 2);
        assertThat(disk.arguments(V10))
                .containsExactly(
                        "-chardev",
                        "socket,id=char-d0,path=/s",
                        "-device",
                        "vhost-user-blk-pci,id=d0,chardev=char-d0,bootindex=1,num-queues=2,packed=on");
    }

    @Test
    void aNetworkCardGoesThroughANetdev() {
        assertThat(VhostUserDevice.net("n0", Path.of("/s")).withQueuePairs(2).arguments(V10))
                .containsExactly(
                        "-chardev",
                        "socket,id=char-n0,path=/s",
                        "-netdev",
                        "vhost-user,id=net-n0,chardev=char-n0,queues=2",
                        "-device",
                        "virtio-net-pci,id=n0,netdev=net-n0,mq=on,vectors=6");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VhostUserDevice.blk("d0", Path.of("/s")).withQueuePairs(2));
    }

    @Test
    void aDeviceOfTheKernelIsQemusOwn() {
        List<String> arguments = MachineSpec.builder()
                .directVdpa(DirectVdpaDevice.of("d0", Path.of("/dev/a,b")).with("bus", "port1"))
                .build()
                .arguments(V10, MONITOR, List.of());
        assertThat(arguments).contains("vhost-vdpa-device-pci,id=d0,vhostdev=/dev/a,,b,bus=port1,disable-legacy=on");
        assertThatIllegalArgumentException().isThrownBy(() -> DirectVdpaDevice.of("0", Path.of("/dev/a")));
    }

    @Test
    void theReconnectOptionFollowsTheVersion() {
        VhostUserDevice disk = VhostUserDevice.blk("d0", Path.of("/s")).withReconnectMillis(1200);
        assertThat(disk.arguments(V9_1)).contains("socket,id=char-d0,path=/s,reconnect=2");
        assertThat(disk.arguments(V10)).contains("socket,id=char-d0,path=/s,reconnect-ms=1200");
    }

    @Test
    void refusesWhatCannotBe() {
        assertThatIllegalArgumentException().isThrownBy(() -> VhostUserDevice.blk("d0,chardev=x", Path.of("/s")));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MachineSpec.builder().name("a b"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MachineSpec.builder().memoryMib(0));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> MachineSpec.builder().extraSerialPorts(4));
    }

    private static String after(List<String> arguments, String option) {
        return arguments.get(arguments.indexOf(option) + 1);
    }
}
