package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairlead.testbed.GuestKernel;
import io.fairlead.testbed.LibvirtHost;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * A machine with Fairlead's devices in the hands of stock libvirt: lowered, defined, refused by the hook while its devices are
 * not there, started, moved to another libvirtd while its guest uses them all, and ended.
 */
@Timeout(600)
class LibvirtTest {
    @SuppressWarnings("InlineFormatString") // it is long
    private static final String DOMAIN = """
            <domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
              <name>%1$s</name>
              <memory unit='MiB'>192</memory>
              <vcpu>2</vcpu>
              <cpu mode='maximum'><feature policy='disable' name='la57'/></cpu>
              <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type>
                <kernel>%2$s</kernel><initrd>%3$s</initrd>
                <cmdline>%4$s</cmdline></os>
              <features><acpi/></features>
              <devices>
                <disk type='generic-vdpa'><source dev='disk0'/><target dev='vda'/></disk>
                <interface type='generic-vdpa'><mac address='52:54:00:00:00:01'/><source dev='nic0'/></interface>
                <hostdev mode='subsystem' type='vdpa'><source dev='share0'/></hostdev>
                <hostdev mode='subsystem' type='vdpa'><source dev='scsi0'/></hostdev>
                <serial type='file'><source path='%5$s/console.log' append='on'/></serial>
                <serial type='file'><source path='%5$s/report.log' append='on'/></serial>
              </devices>
              <qemu:commandline>
                <qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/fairlead/job,file=%5$s/job.sh'/>
              </qemu:commandline>
            </domain>
            """;

    /** Reads the first MiB of both disks, writes a number to both, sends a packet, and adds a line to the shared file. */
    private static final String JOB = """
            modprobe -a virtiofs virtio_net virtio_scsi sd_mod
            mkdir -p /mnt/share
            mount -t virtiofs data /mnt/share || emit '{"wrong":"mount"}'
            while [ ! -b /dev/sda ]; do sleep 0.1; done
            ip link set eth0 up
            ip addr add 10.0.0.1/24 dev eth0
            round=0
            until [ -e /mnt/share/stop ]; do
                round=$((round + 1))
                printf '%%-4096d' $round >/run/block
                for disk in vda:%1$s sda:%2$s; do
                    device=/dev/${disk%%%%:*}
                    sum=$(dd if=$device bs=256k count=4 iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1)
                    [ "$sum" = "${disk#*:}" ] || emit "{\\"wrong\\":\\"$disk read $sum in round $round\\"}"
                    dd if=/run/block of=$device bs=4096 seek=256 conv=notrunc,fsync oflag=direct 2>/dev/null \\
                        || emit "{\\"wrong\\":\\"$disk not written in round $round\\"}"
                done
                ping -q -c 1 -W 1 10.0.0.2 >/dev/null &
                echo $round >>/mnt/share/rounds || emit '{"wrong":"the shared file"}'
                sleep 0.1
            done
            emit "{\\"rounds\\":$round}"
            """ + Lab.REPORT_KERNEL_ERRORS.replace("%", "%%");

    @TempDir
    Path folder;

    private Path program;
    private Path share;
    private Path disk;
    private Path unit;

    @Test
    void aLoweredMachineIsStartedMovedAndEndedByVirsh() throws Exception {
        Optional<String> obstacle = LibvirtHost.obstacle();
        assumeTrue(obstacle.isEmpty(), () -> obstacle.orElse(""));
        share = Files.createDirectory(folder.resolve("share"));
        disk = image("disk.img");
        unit = image("unit.img");
        Files.writeString(folder.resolve("job.sh"), JOB.formatted(sum(disk), sum(unit)));
        program = program();
        try (LibvirtHost alpha = host("alpha");
                LibvirtHost beta = host("beta")) {
            Path document = lowered("vm0");
            alpha.virsh("define", document.toString());

            LibvirtHost.Answer refused = alpha.virshAnyway("start", "vm0");
            Lab.report("without devices: %s", refused.text());
            assertThat(refused.exitCode()).isNotZero();
            assertThat(refused.text()).contains("device disk0", "/run/fairlead/disk0.sock", "start what serves it");

            try (ServeProcess there = serve("alpha");
                    ServeProcess arrives = serve("beta")) {
                long _ = there.awaitReady();
                long _ = arrives.awaitReady();
                runMoveAndEnd(alpha, beta);
                assertThat(there.terminate()).isZero();
                assertThat(arrives.terminate()).isZero();
                assertThat(served(there, "nic0")).isPositive();
                assertThat(served(arrives, "nic0")).isPositive();
                assertThat(served(arrives, "scsi0")).isPositive();
            }
        }
    }

    private void runMoveAndEnd(LibvirtHost alpha, LibvirtHost beta) throws Exception {
        long started = System.nanoTime();
        alpha.virsh("start", "vm0");
        Lab.report("virsh start: %d ms", (System.nanoTime() - started) / 1_000_000);
        awaitRounds(alpha, 3);

        // The second machine with the same devices is refused, and the first one does not notice.
        alpha.virsh("define", lowered("vm1").toString());
        LibvirtHost.Answer busy = alpha.virshAnyway("start", "vm1");
        Lab.report("with devices in use: %s", busy.text());
        assertThat(busy.exitCode()).isNotZero();
        assertThat(busy.text()).contains("another machine may use the device");

        long moved = System.nanoTime();
        alpha.virsh(
                "migrate",
                "--live",
                "--p2p",
                "--persistent",
                "--undefinesource",
                "vm0",
                beta.uri(),
                "--migrateuri",
                "tcp://127.0.0.1",
                "--listen-address",
                "127.0.0.1");
        Lab.report("virsh migrate: %d ms", (System.nanoTime() - moved) / 1_000_000);
        assertThat(alpha.virsh("list", "--all", "--name").split("\n", -1)).doesNotContain("vm0");
        assertThat(beta.virsh("domstate", "vm0")).isEqualTo("running");
        assertThat(beta.virsh("dumpxml", "vm0")).contains("lowered", "urn:fairlead:domain:1");
        awaitRounds(beta, rounds() + 3);

        Files.createFile(share.resolve("stop"));
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (!beta.virsh("domstate", "vm0").equals("shut off")) {
            assertThat(System.nanoTime()).as("still runs").isLessThan(end);
            Thread.sleep(100);
        }
        String report = Files.readString(folder.resolve("report.log"));
        Lab.report("%s", report);
        assertThat(report)
                .contains("\"rounds\":" + rounds(), "\"kernelErrors\":\"\"")
                .doesNotContain("wrong");
        for (Path image : List.of(disk, unit)) {
            byte[] all = Files.readAllBytes(image);
            String written = new String(all, 1 << 20, 4096, StandardCharsets.US_ASCII);
            assertThat(written.strip()).isEqualTo(Integer.toString(rounds()));
        }
        beta.virsh("undefine", "vm0");
    }

    private void awaitRounds(LibvirtHost host, int count) throws IOException, InterruptedException {
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (rounds() < count) {
            if (System.nanoTime() > end) {
                Path console = folder.resolve("console.log");
                throw new AssertionError(rounds() + " rounds of " + count + ": "
                        + (Files.exists(console) ? Files.readString(console) : "no console") + host.log());
            }
            Thread.sleep(50);
        }
    }

    private int rounds() throws IOException {
        Path rounds = share.resolve("rounds");
        return Files.exists(rounds) ? Files.readAllLines(rounds).size() : 0;
    }

    /** A MiB to be read and one to be written. */
    private Path image(String name) throws IOException {
        byte[] content = new byte[2 << 20];
        new Random(name.hashCode()).nextBytes(content);
        return Files.write(folder.resolve(name), content);
    }

    private static String sum(Path image) throws Exception {
        byte[] first = Arrays.copyOf(Files.readAllBytes(image), 1 << 20);
        return HexFormat.of()
                .formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(first));
    }

    /** The document for libvirt. */
    private Path lowered(String name) throws Exception {
        GuestKernel kernel = Lab.TESTBED.kernel();
        Path raised = Files.writeString(
                folder.resolve(name + ".xml"),
                DOMAIN.formatted(
                        name,
                        kernel.image(),
                        Lab.TESTBED.initramfs(),
                        "console=ttyS0 quiet panic=-1 no_timer_check tsc=reliable nokaslr mitigations=off"
                                + " random.trust_cpu=on fairlead.root=none",
                        folder));
        TwoNodes.Ended ended = TwoNodes.command(
                        "libvirt",
                        "lower",
                        raised.toString(),
                        "--json",
                        "--device",
                        "disk0=blk",
                        "--device",
                        "nic0=net",
                        "--device",
                        "share0=fs,tag=data",
                        "--device",
                        "scsi0=scsi")
                .end();
        assertThat(ended.exitCode()).as(ended.text()).isZero();
        JsonNode printed = ended.lines().getFirst();
        assertThat(printed.path("notices").toString()).contains("it is in QEMU's arguments");
        return Files.writeString(
                folder.resolve(name + "-libvirt.xml"), printed.path("xml").asString(""));
    }

    /** The command as the hook calls it on the hosts. */
    private Path program() throws IOException {
        Path program =
                Files.writeString(folder.resolve("fairlead"), """
                        #!/bin/sh
                        exec /opt/jdk/bin/java -XX:TieredStopAtLevel=1 -XX:-UsePerfData --enable-native-access=ALL-UNNAMED \\
                            -cp '%s' io.fairlead.cli.Main "$@"
                        """.formatted(System.getProperty("java.class.path")));
        return Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** A host that sees what this machine has, but for its own sockets of devices. */
    private LibvirtHost host(String name) throws Exception {
        Map<Path, Path> seen = new LinkedHashMap<>();
        see(folder, seen);
        see(Lab.TESTBED.cacheDirectory(), seen);
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            see(Path.of(entry), seen);
        }
        seen.put(Path.of(System.getProperty("java.home")), Path.of("/opt/jdk"));
        seen.put(Files.createDirectories(sockets(name)), Path.of("/run/fairlead"));
        // Before libvirtd starts, which looks for hooks once.
        TwoNodes.Ended installed = TwoNodes.command(
                        "libvirt",
                        "hook",
                        "--install",
                        folder.resolve(name)
                                .resolve("root/etc/libvirt/hooks/qemu.d")
                                .toString(),
                        "--program",
                        program.toString())
                .end();
        assertThat(installed.exitCode()).as(installed.text()).isZero();
        return Lab.TESTBED.startLibvirt(name, folder.resolve(name), seen);
    }

    private static void see(Path path, Map<Path, Path> seen) {
        Path absolute = path.toAbsolutePath();
        Path top = absolute.getRoot().resolve(absolute.subpath(0, 1));
        seen.put(top, top);
    }

    private Path sockets(String host) {
        return folder.resolve(host + "-run");
    }

    private ServeProcess serve(String host) throws IOException {
        Path sockets = sockets(host);
        return ServeProcess.start(
                "name=disk0,type=blk,socket=%s/disk0.sock,path=%s,locked=off,volume=disk".formatted(sockets, disk),
                "name=nic0,type=net,socket=%s/nic0.sock,switch=lan,mac=52:54:00:00:00:01".formatted(sockets),
                "name=share0,type=fs,socket=%s/share0.sock,path=%s,tag=data".formatted(sockets, share),
                "name=scsi0,type=scsi,socket=%s/scsi0.sock,lun0=%s,lun0.locked=off,lun0.volume=unit,lun0.serial=U"
                        .formatted(sockets, unit));
    }

    /** The requests of all queues of a device, as the process printed them at its end. */
    private static long served(ServeProcess process, String device) {
        return process.output()
                .lines()
                .filter(line -> line.startsWith(device + " queue "))
                .mapToLong(line -> Long.parseLong(line.replaceFirst(".*: ([0-9]+) requests.*", "$1")))
                .sum();
    }
}
