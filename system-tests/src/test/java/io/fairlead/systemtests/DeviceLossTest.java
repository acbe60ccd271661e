package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.kernel.LossUnderGuest;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Two disks of the host's kernel are deleted under a guest's load: software goes on for one, errors come from the other. */
@Timeout(600)
class DeviceLossTest {
    /** The three are one volume: the third is what the host itself has of it. */
    private static final String CREATE = """
            set -e
            modprobe -a vhost_vdpa virtio_vdpa virtio_blk
            modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
            modprobe vdpa_sim_blk shared_backend=1
            for name in lost failing host; do
                vdpa dev add name $name mgmtdev vdpasim_blk
                device=/sys/bus/vdpa/devices/$name
                wanted=vhost_vdpa
                [ $name != host ] || wanted=virtio_vdpa
                [ "$(basename $(readlink $device/driver))" = $wanted ] && continue
                echo $wanted >$device/driver_override
                echo $name >$device/driver/unbind
                echo $name >/sys/bus/vdpa/drivers_probe
            done
            file() { echo /dev/$(basename /sys/bus/vdpa/devices/$1/vhost-vdpa-*); }
            volume=/dev/$(basename /sys/bus/vdpa/devices/host/virtio*/block/*)
            """;

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @Test
    void softwareGoesOnOrErrorsCome() throws Exception {
        lose(L1Kernel.V7_3);
    }

    @Test
    @Tag("long")
    void softwareGoesOnOrErrorsComeOnTheOtherKernel() throws Exception {
        lose(L1Kernel.V6_12);
    }

    private static void lose(L1Kernel kernel) throws Exception {
        L1Lab.assumeL2();
        L1Host host = L1.shared(kernel);
        L1Lab.writeProgram(host, "loss-under-guest", LossUnderGuest.class.getName());
        String seen = host.run(CREATE + """
                loss-under-guest $(file lost) lost $volume $(file failing) failing
                vdpa dev del host""", Lab.PATIENCE);
        Lab.report("%s: %s", kernel, seen.strip());
        assertThat(seen)
                .contains("deleted lost", "deleted failing", "{\"at\":\"failed\"}", "status 0")
                .containsPattern("\"rounds\":[4-9][0-9]*,\"wrong\":\"none\"");
    }
}
