package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.kernel.KernelDiskInGuest;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A guest uses a disk of the host's kernel by Fairlead's front-end, which is not on the data path. */
@Timeout(600)
class KernelDiskTest {
    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @Test
    void aGuestUsesADiskOfTheKernel() throws Exception {
        useDisk(L1Kernel.V7_3);
    }

    @Test
    @Tag("long")
    void aGuestUsesADiskOfTheKernelOnTheOtherKernel() throws Exception {
        useDisk(L1Kernel.V6_12);
    }

    private static void useDisk(L1Kernel kernel) throws Exception {
        L1Lab.assumeL2();
        L1Host host = L1.shared(kernel);
        L1Lab.writeProgram(host, "disk-in-guest", KernelDiskInGuest.class.getName());
        String seen = host.run("""
                set -e
                modprobe -a vhost_vdpa vdpa_sim_blk
                modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
                vdpa dev add name indisk mgmtdev vdpasim_blk
                disk-in-guest /dev/$(basename /sys/bus/vdpa/devices/indisk/vhost-vdpa-*)
                vdpa dev del indisk""", Lab.PATIENCE);
        Lab.report("%s: %s", kernel, seen.strip());
        assertThat(seen).containsPattern("GUEST wrong 0, requests [1-9][0-9]{2,}, of which this process moved 0;");
    }
}
