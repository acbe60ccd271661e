package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Spec;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * An L1 host with network cards of several vendors at one network: two PCI functions for vp_vdpa and one of the host's own at
 * a hub of the outer machine's, and TAP interfaces for Fairlead at the same bridge; the simulator loops back what it gets.
 */
final class KernelNetLab implements AutoCloseable {
    /** Of the first of two functions for vp_vdpa. */
    static final int CARD_SLOT = 0x10;

    private static final int OWN_SLOT = 0x12;
    private static final Duration PATIENCE = Duration.ofMinutes(20);

    private static final String PREPARE = """
            set -e
            modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
            modprobe -a virtio_net bridge tun vdpa_sim_net vhost_vdpa vp_vdpa
            bin/ip link add br0 type bridge
            own=$(ls /sys/bus/pci/devices/0000:00:12.0/virtio*/net)
            for host in a b; do
                bin/ip tuntap add dev tap-$host mode tap
                bin/ip link set tap-$host master br0 up
            done
            bin/ip link set $own master br0 up
            bin/ip addr add 10.8.0.1/24 dev br0
            bin/ip link set br0 up
            echo 'fairlead: prepared' >/dev/kmsg""";

    private final L1Host host;

    private KernelNetLab(L1Host host) {
        this.host = host;
    }

    static KernelNetLab start(L1Lab lab, L1Kernel kernel) throws IOException, InterruptedException {
        L1Lab.assumeL2();
        // What is made only once is made here, not in the host's memory.
        Lab.TESTBED.forL2Guests().close();
        L1Spec spec = L1Spec.of(kernel).name("kernel-cards-" + kernel).iommu();
        for (int i = 0; i < 3; i++) {
            spec.arguments("-netdev", "hubport,id=port%d,hubid=0".formatted(i));
        }
        for (int i = 0; i < 2; i++) {
            spec.vdpaParent("virtio-net-pci,netdev=port%d,mac=%s,addr=0x%x".formatted(i, NetKind.MAC, CARD_SLOT + i));
        }
        spec.arguments("-device", "virtio-net-pci,netdev=port2,addr=0x%x".formatted(OWN_SLOT));
        L1Host host = lab.own(spec, kernel);
        boolean ready = false;
        try {
            L1Lab.writeProgram(host, "net-moves", KernelNetMoves.class.getName());
            String _ = host.run(PREPARE, Lab.PATIENCE);
            ready = true;
            return new KernelNetLab(host);
        } finally {
            if (!ready) {
                host.close();
            }
        }
    }

    /** Runs {@link KernelNetMoves}; answers what it printed. */
    String moves(List<String> pairs) throws IOException, InterruptedException {
        String seen = host.run("net-moves " + String.join(" ", pairs), PATIENCE);
        Lab.report("%s", seen);
        assertThat(seen).endsWith("DONE\n");
        return seen;
    }

    /** What the kernel complained of, since it was prepared: the firmware leaves cards that the IOMMU stops. */
    String complaints() throws IOException, InterruptedException {
        return host.run(
                "dmesg | sed '1,/fairlead: prepared/d' | grep -E 'BUG:|Oops|DMAR.*fault' || true", Lab.PATIENCE);
    }

    @Override
    public void close() throws IOException {
        host.close();
    }
}
