package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.MigratingGuest;
import io.fairlead.testbed.QemuRelease;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest with files of a shared file system open, locked, removed and written to moves between two nodes. */
@Timeout(600)
class FsNodeMigrationTest {
    private static final String JOB = """
            modprobe virtiofs
            mkdir -p /mnt/home
            mount -t virtiofs home /mnt/home
            cd /mnt/home
            mkfifo /tmp/end
            sleep 10000 >/tmp/end &
            keeper=$!
            ./fs-holder held /tmp/end >/tmp/said &
            holder=$!
            until grep -q held /tmp/said; do sleep 0.1; done
            mkdir many
            for file in $(seq 1 300); do echo $file >many/$file; done
            echo "without a name" >removed
            exec 7<removed
            rm removed
            emit '{"at":"held"}'
            receive >/dev/null
            echo end >/tmp/end
            wait $holder
            emit "{\\"status\\":$?,\\"said\\":\\"$(tail -n 1 /tmp/said)\\"}"
            kill $keeper
            emit "{\\"removed\\":\\"$(cat <&7)\\",\\"many\\":$(cat many/* | wc -l)}"
            exec 7<&-
            cd / && umount /mnt/home && emit '{"unmounted":"yes"}'
            """ + Lab.REPORT_KERNEL_ERRORS;

    @TempDir
    Path folder;

    private int port() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            return free.getLocalPort();
        }
    }

    private ServeProcess start(String name, int port, Path export) throws Exception {
        ServeProcess node = ServeProcess.startCommand(
                List.of(),
                List.of(
                        "node",
                        "--name",
                        name,
                        "--state",
                        folder.resolve(name + ".state").toString(),
                        "--control",
                        folder.resolve(name + ".ctl").toString(),
                        "--listen",
                        "localhost:" + port,
                        "--certificates",
                        folder.resolve("ca/localhost").toString(),
                        "--device",
                        "name=fs0,type=fs,socket=%s,path=%s,tag=home".formatted(socket(name), export),
                        "--machine",
                        "name=vm0,qmp=%s,devices=fs0".formatted(folder.resolve(name + ".qmp"))));
        long _ = node.awaitReady();
        return node;
    }

    private Path socket(String name) {
        return folder.resolve(name + ".sock");
    }

    private static GuestSpec spec() {
        return GuestSpec.job(JOB).release(QemuRelease.V11).memoryMib(256).nodeMonitor();
    }

    private VhostUserDevice device(String node) {
        return VhostUserDevice.fs("fs0", socket(node), "home");
    }

    private void monitor(String node, Guest guest) throws IOException {
        Files.createSymbolicLink(folder.resolve(node + ".qmp"), guest.nodeMonitor());
    }

    @Test
    void filesThatAreOpenLockedAndRemovedMoveBetweenNodes() throws Exception {
        Path export = Files.createDirectory(folder.resolve("export"));
        GuestProgram.build("fs-holder", export.resolve("fs-holder"));
        Path _ = CertificateAuthority.openOrCreate(folder.resolve("ca"), Duration.ofDays(2))
                .createHost(List.of("localhost", "127.0.0.1"), Duration.ofDays(2));
        int toPort = port();
        try (ServeProcess from = start("a", port(), export);
                ServeProcess to = start("b", toPort, export);
                MigratingGuest guest = MigratingGuest.start(
                        Lab.TESTBED, spec().device(device("a")).workDirectory(folder.resolve("g")))) {
            monitor("a", guest.current());
            Lab.await(guest.current(), "held");
            monitor("b", guest.startDestination(spec().destination().device(device("b"))));
            TwoNodes.Ended moved = TwoNodes.command(
                            "migrate",
                            "vm0",
                            "--to",
                            "localhost:" + toPort,
                            "--control",
                            folder.resolve("a.ctl").toString(),
                            "--json")
                    .end();
            Lab.report("%s%n%s%n%s", moved.text(), from.output(), to.output());
            assertThat(moved.exitCode()).as(moved.text()).isZero();
            guest.moved();
            guest.send("end");
            GuestResult result = guest.awaitResult(Lab.PATIENCE);
            Lab.report("%s", result.lines());
            assertThat(Lab.line(result, "status").path("said").asString()).endsWith("errors 0");
            assertThat(Lab.line(result, "status").path("status").asInt(-1)).isZero();
            assertThat(Lab.line(result, "removed").path("removed").asString()).isEqualTo("without a name");
            assertThat(Lab.line(result, "removed").path("many").asInt()).isEqualTo(300);
            assertThat(Lab.line(result, "unmounted").path("unmounted").asString())
                    .isEqualTo("yes");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
        }
    }
}
