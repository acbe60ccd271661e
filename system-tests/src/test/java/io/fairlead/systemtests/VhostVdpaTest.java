package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairlead.systemtests.kernel.KernelDeviceExercise;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Spec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * The kernel's vDPA devices as back-ends, on real kernels: its simulators of a disk and a network card, each driven by a
 * driver of our own, bare and behind the relay, and one that is taken away under it.
 */
@Timeout(600)
class VhostVdpaTest {
    private static final Duration PATIENCE = Duration.ofMinutes(4);

    private static final String CREATE = """
            set -e
            # Another test may have been here.
            dmesg -c >/dev/null
            modprobe -a vhost_vdpa vdpa_sim_blk vdpa_sim_net
            vdpa dev add name simblk mgmtdev vdpasim_blk
            vdpa dev add name simnet mgmtdev vdpasim_net
            """;

    /** A node with a machine that has a kernel device by its name; what it lists. */
    private static final String NODE = """
            fairlead certificates create --folder /tmp/ca --host localhost >/dev/null
            fairlead node --name alpha --state /tmp/alpha --control /tmp/alpha.ctl --listen localhost:0 \\
                --certificates /tmp/ca/localhost \\
                --device name=disk0,type=blk,socket=/tmp/disk0.sock,vhost-vdpa=blk-simblk,volume=v0 \\
                --machine name=vm0,qmp=/tmp/vm0.qmp,devices=disk0 >/tmp/node.log 2>&1 &
            node=$!
            for i in $(seq 90); do grep -q ready /tmp/node.log && break; sleep 1; done
            fairlead mgmtdev show --control /tmp/alpha.ctl || cat /tmp/node.log >&2
            fairlead dev show --control /tmp/alpha.ctl
            kill $node
            wait $node || true
            """;

    /** What the kernel complained of. */
    private static final String CLEAN = """
            vdpa dev del simnet
            rm -r /tmp/ca /tmp/alpha /tmp/node.log
            dmesg | grep -E 'BUG:|Oops|DMAR.*fault' || true
            """;

    private static final String CREATE_PAIRS = """
            set -e
            modprobe -a vhost_vdpa vp_vdpa
            card=/sys/bus/pci/devices/0000:00:10.0
            [ ! -e $card/driver ] || echo 0000:00:10.0 >$card/driver/unbind
            echo 1 >$card/enable
            exercise negotiate $card/resource4
            fairlead mgmtdev bind 0000:00:10.0
            fairlead dev add name card0 mgmtdev pci/0000:00:10.0
            """;

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @Test
    void devicesServeADriverBareAndBehindTheRelay() throws Exception {
        drive(L1Kernel.V6_12);
    }

    @Test
    @Tag("long")
    void devicesServeADriverBareAndBehindTheRelayOnTheOtherKernel() throws Exception {
        drive(L1Kernel.V7_3);
    }

    private static void drive(L1Kernel kernel) throws Exception {
        L1Host host = L1.shared(kernel);
        L1Lab.writeProgram(host, "exercise", KernelDeviceExercise.class.getName());
        String _ = host.run(CREATE, PATIENCE);
        String seen = host.run("exercise all", PATIENCE);
        Lab.report("%s", seen);
        assertThat(seen)
                .contains("EXERCISED 2 devices")
                .contains("vhost-vdpa-0: suspended at")
                .contains("vhost-vdpa-0: queue 0 stopped and started at")
                .contains("vhost-vdpa-0 managed: written pages logged")
                .contains("vhost-vdpa-1 managed: a frame sent");
        assertThat(host.run(NODE, PATIENCE))
                .contains("software: supported_classes ", "vdpasim_blk: supported_classes block")
                .contains("disk0: type block mgmtdev vhost-vdpa max_vqs ")
                .contains(" node /dev/vhost-vdpa-0 machine vm0 socket /tmp/disk0.sock")
                .contains("simblk: type block mgmtdev vdpasim_blk ", " stable_name blk-simblk")
                .contains("simnet: type network mgmtdev vdpasim_net ");
        // Which waits until the file is closed; the device by its stable name.
        assertThat(host.run("exercise removal blk-simblk vdpa dev del simblk", PATIENCE))
                .contains("REMOVED /dev/vhost-vdpa-0 is gone");
        assertThat(host.run(CLEAN, PATIENCE)).isEmpty();
    }

    /** A card of the outer QEMU's, at a TAP interface of its own, which QEMU makes where it may. */
    @Test
    void aCardHasSeveralPairsOfQueues() throws Exception {
        usePairs(L1Kernel.V7_3);
    }

    @Test
    @Tag("long")
    void aCardHasSeveralPairsOfQueuesOnTheOtherKernel() throws Exception {
        usePairs(L1Kernel.V6_12);
    }

    private static void usePairs(L1Kernel kernel) throws Exception {
        assumeTrue(Files.isWritable(Path.of("/dev/net/tun")), "TAP interfaces cannot be made here");
        L1Spec spec = L1Spec.of(kernel)
                .name("vhost-vdpa-pairs-" + kernel)
                .iommu()
                .arguments("-netdev", "tap,id=pairs,queues=2,script=no,downscript=no,vhost=off")
                .vdpaParent("virtio-net-pci,netdev=pairs,mq=on,vectors=6,romfile=,addr=0x10");
        try (L1Host host = L1.own(spec, kernel)) {
            L1Lab.writeProgram(host, "exercise", KernelDeviceExercise.class.getName());
            String _ = host.run(CREATE_PAIRS, PATIENCE);
            String seen = host.run("ulimit -l unlimited; exercise pairs /dev/vhost-vdpa-0", PATIENCE);
            Lab.report("%s", seen);
            assertThat(seen)
                    .contains("vhost-vdpa-0: frames sent by two pairs")
                    .contains("vhost-vdpa-0: managed: frames sent by a pair that was started later");
            assertThat(host.run("dmesg | grep -E 'BUG:|Oops|DMAR.*fault' || true", PATIENCE))
                    .isEmpty();
        }
    }
}
