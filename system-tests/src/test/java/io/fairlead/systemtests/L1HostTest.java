package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Command;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The hosts themselves: the kernel's vDPA framework is there, commands come and go, files come back. */
class L1HostTest {
    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @ParameterizedTest
    @EnumSource(L1Kernel.class)
    void hasTheKernelsFramework(L1Kernel kernel) throws IOException, InterruptedException {
        L1Host host = L1.shared(kernel);
        String listed = host.run("""
                uname -r
                modprobe -a vdpa_sim_net vdpa_sim_blk vduse vhost_vdpa virtio_vdpa vp_vdpa
                vdpa mgmtdev show
                modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
                ls /dev/kvm /dev/vduse/control
                """, Lab.PATIENCE);
        assertThat(listed)
                .startsWith(kernel + ".")
                .contains("vdpasim_net:", "vdpasim_blk:", "vduse:", "/dev/kvm", "/dev/vduse/control");
    }

    @ParameterizedTest
    @EnumSource(L1Kernel.class)
    void tellsExitCodesAndOutputs(L1Kernel kernel) throws IOException, InterruptedException {
        L1Host host = L1.shared(kernel);
        L1Command failing = host.start("echo printed; echo \"it's wrong\" >&2; exit 7");
        L1Command waiting = host.start("trap 'echo ended; exit 0' TERM; echo waits; sleep 1000 & wait");
        assertThat(failing.awaitExit(Lab.PATIENCE)).isEqualTo(7);
        assertThat(failing.output()).isEqualTo("printed\n");
        assertThat(failing.errors()).isEqualTo("it's wrong\n");
        String _ = host.run(
                "while [ ! -s " + waiting.outputFile() + " ]; do sleep 0.1; done; touch came-back", Lab.PATIENCE);
        waiting.signal("TERM");
        assertThat(waiting.awaitSuccess(Lab.PATIENCE)).isEqualTo("waits\nended\n");
        assertThat(Files.exists(host.sharedDirectory().resolve("came-back"))).isTrue();
    }
}
