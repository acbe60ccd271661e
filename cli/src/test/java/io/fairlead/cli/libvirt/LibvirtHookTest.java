package io.fairlead.cli.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibvirtHookTest {
    private static final int FEATURES_REPLY_BYTES = 20;

    @TempDir
    Path folder;

    private Path socket() {
        return folder.resolve("d.sock");
    }

    private ByteArrayInputStream document() {
        return new ByteArrayInputStream("""
                <domain><name>vm0</name><metadata>
                <f:lowered xmlns:f='urn:fairlead:domain:1'>
                  <f:device alias='ua-0' element='hostdev' dev='disk0' mode='managed' socket='%s'/>
                  <f:device alias='ua-1' element='hostdev' dev='/dev/vhost-vdpa-0' mode='direct'/>
                </f:lowered></metadata></domain>
                """.formatted(socket()).getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void aMachineWhoseDeviceIsNotServedIsRefused() throws Exception {
        assertThatThrownBy(() -> LibvirtHook.run("vm0", "prepare", document(), () -> DaemonInventory.NONE))
                .isInstanceOf(IOException.class)
                .hasMessage("machine vm0: device disk0 (ua-0): there is no socket %s; start what serves it", socket());
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            var _ = server.bind(UnixDomainSocketAddress.of(socket()));
        }
        // Its process is gone and the name is left.
        assertThatThrownBy(() -> LibvirtHook.run("vm0", "prepare", document(), () -> DaemonInventory.NONE))
                .hasMessageContaining("nobody listens at " + socket());
        LibvirtHook.run("vm0", "release", document(), () -> DaemonInventory.NONE);
    }

    @Test
    void aMachineWhoseDeviceAnswersStarts() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            var _ = server.bind(UnixDomainSocketAddress.of(socket()));
            Thread answering = Thread.startVirtualThread(() -> answer(server));
            LibvirtHook.run("vm0", "prepare", document(), () -> DaemonInventory.NONE);
            answering.join();
        }
    }

    private static void answer(ServerSocketChannel server) {
        try (SocketChannel client = server.accept()) {
            ByteBuffer question = ByteBuffer.allocate(12);
            while (question.hasRemaining() && client.read(question) >= 0) {
                // The whole header.
            }
            ByteBuffer reply = ByteBuffer.allocate(FEATURES_REPLY_BYTES);
            while (reply.hasRemaining()) {
                int _ = client.write(reply);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void whoListensAndDoesNotAnswerIsNotWaitedForLong() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            var _ = server.bind(UnixDomainSocketAddress.of(socket()));
            assertThatThrownBy(() -> SocketProbe.check(socket(), Duration.ofMillis(50)))
                    .hasMessageContaining("another machine may use the device");
        }
    }

    @Test
    void whatIsNoDocumentIsRefused() {
        assertThatThrownBy(() -> LibvirtHook.run(
                        "vm0",
                        "prepare",
                        new ByteArrayInputStream(
                                "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>".getBytes(StandardCharsets.UTF_8)),
                        () -> DaemonInventory.NONE))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("machine vm0: its document cannot be read");
    }

    /** The script calls the program for machines with our metadata alone, and its exit code is the program's. */
    @Test
    void theScriptCallsTheProgramForOurMachinesAlone() throws Exception {
        Path program = Files.writeString(folder.resolve("program"), "#!/bin/sh\ncat >\"$0.in\"\necho \"$@\"\nexit 3\n");
        Path _ = Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path script = LibvirtHook.install(folder.resolve("hooks"), program, "/tmp/d");
        assertThat(Files.getPosixFilePermissions(script)).isEqualTo(PosixFilePermissions.fromString("rwxr-xr-x"));
        String ours = new String(document().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(run(script, ours, "prepare")).isEqualTo("3 libvirt hook --connect /tmp/d vm0 prepare begin -");
        assertThat(Files.readString(folder.resolve("program.in")).strip()).isEqualTo(ours.strip());
        assertThat(run(script, "<domain/>", "prepare")).isEqualTo("0 ");
        assertThat(run(script, ours, "started")).isEqualTo("0 ");
        assertThatThrownBy(() -> LibvirtHook.install(folder, Path.of("fairlead"), "/tmp/d"))
                .hasMessageContaining("give the path");
    }

    private String run(Path script, String input, String operation) throws Exception {
        Path in = Files.writeString(folder.resolve("input"), input);
        Process process = new ProcessBuilder(script.toString(), "vm0", operation, "begin", "-")
                .redirectInput(in.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        return process.exitValue() + " " + said.strip();
    }
}
