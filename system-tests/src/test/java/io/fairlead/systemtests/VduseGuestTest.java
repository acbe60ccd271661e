package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.kernel.VduseDiskInGuest;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.Testbed;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A disk of ours, by VDUSE and vhost_vdpa, is a guest's: by a driver of our own, by Fairlead's front-end in another process,
 * and by QEMU itself. The process that serves it is killed under the guest's load.
 */
@Timeout(600)
class VduseGuestTest {
    private static final String SCRIPT = """
            set -e
            results=$PWD
            mkdir -p /run/vduse-guest
            cd /run/vduse-guest
            trap 'cp * "$results"; rm -r /run/vduse-guest' EXIT
            dmesg -c >/dev/null
            modprobe -a vduse vhost_vdpa
            modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
            truncate -s 64M /tmp/guest.img
            serve() {
                fairlead serve --device name=guest0,type=blk,vduse=guest0,path=/tmp/guest.img >"serve$1.out" 2>"serve$1.err" &
                server=$!
            }
            await() {
                until grep -q "$2" "$1.out"; do
                    kill -0 $3 || { cat "$1.out" "$1.err" >&2; exit 1; }
                    sleep 0.1
                done
            }
            serve 1
            await serve1 ready $server
            vdpa dev add name guest0 mgmtdev vduse
            guest-program /dev/$(basename /sys/bus/vdpa/devices/guest0/vhost-vdpa-*) >guest.out 2>guest.err &
            guest=$!
            await guest 'BUSY managed' $guest
            kill -KILL $server
            wait $server || true
            serve 2
            await serve2 ready $server
            touch served-again
            wait $guest || { cat guest.out guest.err >&2; exit 1; }
            head -c 4194304 /tmp/guest.img | sha256sum | cut -d' ' -f1 >sum
            vdpa dev del guest0
            kill -TERM $server
            wait $server
            dmesg | grep -E 'BUG:|Oops|WARNING:' >kernel-errors || true
            rm /tmp/guest.img
            """;

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @Test
    void aGuestUsesTheDisk() throws Exception {
        useDisk(L1Kernel.V6_12);
    }

    @Test
    @Tag("long")
    void aGuestUsesTheDiskOnTheOtherKernel() throws Exception {
        useDisk(L1Kernel.V7_3);
    }

    private static void useDisk(L1Kernel kernel) throws Exception {
        L1Lab.assumeL2();
        try (Testbed _ = Lab.TESTBED.forL2Guests()) {
            L1Host host = L1.shared(kernel);
            L1Lab.writeProgram(host, "guest-program", VduseDiskInGuest.class.getName());
            String _ = host.run(SCRIPT, Lab.PATIENCE);
            Path folder = host.sharedDirectory();
            String seen = Files.readString(folder.resolve("guest.out"));
            Lab.report("%s: %s", kernel, seen);
            assertThat(seen)
                    .contains("EXERCISED 1 devices")
                    .contains("queue 0 stopped and started at")
                    .contains("managed: written pages logged")
                    .containsPattern("GUEST managed: [1-9]\\d* rounds");
            if (kernel != L1Kernel.V6_12) {
                assertThat(seen).containsPattern("vhost-vdpa-\\d+: suspended at");
            }
            // What the last guest wrote is in the file.
            assertThat(seen)
                    .containsPattern("GUEST direct: [1-9]\\d* rounds, sum "
                            + Files.readString(folder.resolve("sum")).strip());
            assertThat(Files.readString(folder.resolve("serve2.out")))
                    .contains("taken up as VDUSE device guest0", " 0 failed");
            assertThat(Files.readString(folder.resolve("kernel-errors"))).isEmpty();
        }
    }
}
