package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A daemon with a machine that a domain document describes: defined, started, given devices, stopped; the daemon killed
 * meanwhile.
 */
@Timeout(600)
class DaemonTest {
    private static final long DISK_BYTES = 64 << 20;

    /** Writes, reads back and counts without an end; does what is typed at the console. */
    private static final String JOB = """
            (while read -r line; do eval "$line"; done </dev/ttyS0) &
            n=0
            while :; do
                n=$((n + 1))
                dd if=/dev/urandom of=/tmp/block bs=64k count=1 2>/dev/null
                dd if=/tmp/block of=/dev/vda bs=64k seek=$((n % 500)) oflag=direct conv=notrunc 2>/dev/null || emit '{"failed":"write"}'
                dd if=/dev/vda of=/tmp/back bs=64k count=1 skip=$((n % 500)) iflag=direct 2>/dev/null || emit '{"failed":"read"}'
                cmp -s /tmp/block /tmp/back || emit '{"failed":"compare"}'
                emit "{\\"beat\\":$n,\\"disks\\":$(ls -d /sys/block/vd? | wc -l),\\"size\\":$(cat /sys/block/vda/size)}"
            done
            """;

    @TempDir
    private Path folder;

    private String document(String name) throws IOException {
        Path job = folder.resolve("job.sh");
        Files.writeString(job, JOB);
        return """
                <domain type='qemu'>
                  <name>%s</name>
                  <memory unit='MiB'>192</memory>
                  <vcpu>1</vcpu>
                  <cpu mode='maximum'><feature policy='disable' name='la57'/></cpu>
                  <os>
                    <type arch='x86_64' machine='q35'>hvm</type>
                    <kernel>%s</kernel><initrd>%s</initrd>
                    <cmdline>console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable nokaslr mitigations=off random.trust_cpu=on fairlead.root=none</cmdline>
                  </os>
                  <features><acpi/></features>
                  <devices>
                    <hostdev mode='subsystem' type='vdpa'><source dev='disk0'/></hostdev>
                    <serial type='pty'/>
                    <serial type='pty'/>
                  </devices>
                  <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
                    <qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/fairlead/job,file=%s'/>
                  </qemu:commandline>
                </domain>
                """.formatted(name, Lab.TESTBED.kernel().image(), Lab.TESTBED.initramfs(), job);
    }

    private void addDisk(DaemonProcess daemon, String name) throws IOException {
        Path image = SoftwareDisks.emptyImage(folder.resolve(name + ".img"), DISK_BYTES);
        JsonNode device = daemon.addDevice(name, "blk", "path=" + image);
        assertThat(device.path("mgmtdev").asString()).isEqualTo("software");
    }

    private static String state(DaemonProcess daemon, String machine) throws IOException {
        return daemon.get("/v1/machines/" + machine).path("state").asString();
    }

    private static long beat(DaemonProcess daemon) throws IOException {
        return daemon.reported("vm0").stream()
                .mapToLong(line -> line.path("beat").asLong(0))
                .max()
                .orElse(0);
    }

    private static void awaitBeats(DaemonProcess daemon) throws IOException {
        long from = beat(daemon);
        await().atMost(Lab.PATIENCE).until(() -> beat(daemon) > from + 2);
        assertThat(daemon.reported("vm0")).noneMatch(line -> line.has("failed"));
    }

    private static JsonNode last(DaemonProcess daemon) throws IOException {
        return daemon.reported("vm0").getLast();
    }

    /** What of machines runs for this folder. */
    private Stream<ProcessHandle> processes() {
        return ProcessHandle.allProcesses()
                .filter(handle -> handle.info()
                        .arguments()
                        .map(words -> String.join(" ", words).contains(folder + "/s/run/machines/"))
                        .orElse(false));
    }

    @Test
    void aMachineOutlivesItsDaemon() throws Exception {
        try (DaemonProcess daemon = DaemonProcess.start(folder.resolve("s"), QemuRelease.V10)) {
            addDisk(daemon, "disk0");
            addDisk(daemon, "disk1");
            assertThat(daemon.define(document("vm0"))
                            .path("machine")
                            .path("state")
                            .asString())
                    .isEqualTo("shut off");
            var _ = daemon.done(daemon.post("/v1/machines/vm0/start"));
            assertThat(state(daemon, "vm0")).isEqualTo("running");
            assertThat(daemon.get("/v1/devices/disk0").path("machine").asString())
                    .isEqualTo("vm0");
            awaitBeats(daemon);
            long pid = daemon.get("/v1/machines/vm0").path("pid").asLong();

            daemon.kill();
            assertThat(ProcessHandle.of(pid).filter(ProcessHandle::isAlive)).isPresent();
            daemon.startAgain();
            assertThat(daemon.get("/v1/machines/vm0").path("pid").asLong()).isEqualTo(pid);
            assertThat(state(daemon, "vm0")).isEqualTo("running");
            assertThat(daemon.get("/v1/devices/disk0").path("machine").asString())
                    .isEqualTo("vm0");
            awaitBeats(daemon);

            var _ = daemon.done(
                    daemon.attach("vm0", "<hostdev mode='subsystem' type='vdpa'><source dev='disk1'/></hostdev>"));
            await().atMost(Lab.PATIENCE).until(() -> last(daemon).path("disks").asInt(0) == 2);
            daemon.kill();
            daemon.startAgain();
            assertThat(daemon.get("/v1/devices/disk1").path("machine").asString())
                    .isEqualTo("vm0");
            awaitBeats(daemon);
            var _ = daemon.done(daemon.delete("/v1/machines/vm0/devices/disk1"));
            await().atMost(Lab.PATIENCE).until(() -> last(daemon).path("disks").asInt(0) == 1);
            assertThat(daemon.get("/v1/devices/disk1").path("machine").isNull()).isTrue();

            var _ = daemon.done(daemon.post("/v1/machines/vm0/pause"));
            assertThat(state(daemon, "vm0")).isEqualTo("paused");
            var _ = daemon.done(daemon.post("/v1/machines/vm0/resume"));
            awaitBeats(daemon);

            // The guest ends by itself.
            daemon.type("vm0", "poweroff -f");
            await().atMost(Lab.PATIENCE).until(() -> state(daemon, "vm0").equals("shut off"));
            assertThat(daemon.get("/v1/machines/vm0").path("reason").asString()).isEqualTo("the guest shut down");
            assertThat(daemon.get("/v1/devices/disk0").path("machine").isNull()).isTrue();
            assertThat(processes()).isEmpty();

            var _ = daemon.delete("/v1/machines/vm0");
            var _ = daemon.delete("/v1/devices/disk0");
            var _ = daemon.delete("/v1/devices/disk1");
            assertThat(daemon.get("/v1/machines").path("machines")).isEmpty();
            assertThat(daemon.get("/v1/devices").path("devices")).isEmpty();
            assertThat(daemon.terminate()).isZero();
        }
    }

    /** A QEMU that dies, with a daemon and without one. */
    @Test
    void theEndOfAQemuIsNoticed() throws Exception {
        try (DaemonProcess daemon = DaemonProcess.start(folder.resolve("s"), QemuRelease.V11)) {
            addDisk(daemon, "disk0");
            var _ = daemon.define(document("vm0"));
            var _ = daemon.done(daemon.post("/v1/machines/vm0/start"));
            assertThatThrownBy(() -> daemon.delete("/v1/devices/disk0")).hasMessageContaining("machine vm0 has it");
            assertThatThrownBy(() -> daemon.delete("/v1/machines/vm0")).hasMessageContaining("machine vm0 runs");
            processes().forEach(ProcessHandle::destroyForcibly);
            await().atMost(Lab.PATIENCE).until(() -> state(daemon, "vm0").equals("crashed"));
            assertThat(daemon.get("/v1/devices/disk0").path("machine").isNull()).isTrue();

            var _ = daemon.done(daemon.post("/v1/machines/vm0/start"));
            daemon.kill();
            processes().forEach(ProcessHandle::destroyForcibly);
            await().atMost(Lab.PATIENCE).until(() -> processes().findAny().isEmpty());
            daemon.startAgain();
            assertThat(state(daemon, "vm0")).isEqualTo("crashed");
            assertThat(daemon.get("/v1/devices/disk0").path("machine").isNull()).isTrue();
            var _ = daemon.done(daemon.post("/v1/machines/vm0/start"));
            var _ = daemon.done(daemon.post("/v1/machines/vm0/destroy"));
            assertThat(state(daemon, "vm0")).isEqualTo("shut off");
        }
    }

    /** What cannot start leaves nothing behind, and says why. */
    @Test
    void aStartThatFailsIsUndone() throws Exception {
        try (DaemonProcess daemon = DaemonProcess.start(folder.resolve("s"), QemuRelease.V10)) {
            var _ = daemon.define(document("vm0"));
            JsonNode missing = daemon.ended(daemon.post("/v1/machines/vm0/start"));
            assertThat(missing.path("error").path("code").asString()).isEqualTo("bad-domain");
            assertThat(missing.path("error").path("message").asString())
                    .contains("disk0")
                    .contains("there is none");
            addDisk(daemon, "disk0");
            var _ = daemon.define(document("vm1").replace("opt/fairlead/job,file=", "opt/fairlead/job,file=/none"));
            JsonNode refused = daemon.ended(daemon.post("/v1/machines/vm1/start"));
            assertThat(refused.path("error").path("message").asString()).contains("/none");
            assertThat(state(daemon, "vm1")).isEqualTo("shut off");
            assertThat(daemon.get("/v1/devices/disk0").path("machine").isNull()).isTrue();
            assertThat(processes()).isEmpty();

            var _ = daemon.done(daemon.post("/v1/machines/vm0/start"));
            var _ = daemon.define(document("vm2"));
            JsonNode taken = daemon.ended(daemon.post("/v1/machines/vm2/start"));
            assertThat(taken.path("error").path("message").asString()).contains("machine vm0 has it");
            var _ = daemon.done(daemon.post("/v1/machines/vm0/destroy"));
        }
    }
}
