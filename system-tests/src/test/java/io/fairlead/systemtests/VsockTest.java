package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.qemu.HotPlug;
import io.fairlead.qemu.Qmp;
import io.fairlead.qemu.QmpException;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

/** Programs of a stock guest (socat) and of the host talk over our socket device. */
@Timeout(600)
class VsockTest {
    private static final int BYTES = 4 << 20;
    private static final int AT_ONCE = 3;

    private static final String SETUP = """
            await() { for i in $(seq 300); do eval "$1" && return 0; sleep 0.1; done; return 1; }
            sum() { sha256sum | cut -c1-64; }
            modprobe -a vsock vmw_vsock_virtio_transport
            await '[ -c /dev/vsock ]'
            driven() { ls -d /sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio* >/dev/null 2>&1; }
            # Says what it got, and a few bytes, and nothing at all.
            socat -t 100 VSOCK-LISTEN:77,fork SYSTEM:'sha256sum | cut -c1-64' &
            socat -t 100 VSOCK-LISTEN:78,fork SYSTEM:'head -c 3' &
            """;

    private static final String TALK = """
            emit '{"at":"listening"}'
            receive >/dev/null
            head -c %d /dev/urandom >/tmp/sent
            for i in $(seq %d); do
                socat -t 100 - VSOCK-CONNECT:2:9 </tmp/sent >/tmp/answer$i 2>/tmp/error$i &
                jobs="$jobs $!"
            done
            wait $jobs
            emit "{\\"sent\\":\\"$(sum </tmp/sent)\\",\\"answers\\":\\"$(cat /tmp/answer* | tr '\\n' ' ')\\",\\"errors\\":\\"$(cat /tmp/error* | tr -d '"\\n')\\"}"
            socat -u VSOCK-CONNECT:2:10 - >/tmp/bye
            emit "{\\"bye\\":\\"$(cat /tmp/bye)\\",\\"status\\":$?}"
            socat -u VSOCK-CONNECT:2:11 - 2>/tmp/refused
            emit "{\\"nobody\\":$?,\\"why\\":\\"$(tr -d '"\\n' </tmp/refused)\\"}"
            emit '{"at":"talked"}'
            receive >/dev/null
            """.formatted(BYTES, AT_ONCE);

    private static GuestSpec spec(String job, Path folder) throws Exception {
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        return GuestSpec.job(job + Lab.REPORT_KERNEL_ERRORS)
                .name("vsock")
                .boot(GuestSpec.Boot.KERNEL)
                .disk("root", root, 0)
                .processors(2);
    }

    private static VhostUserDevice device(Path socket) {
        return VhostUserDevice.of("v0", "vhost-user-vsock-pci", socket);
    }

    private static Map<String, String> attributes(Path path) {
        return Map.of("cid", "52", "path", path.toString());
    }

    @ParameterizedTest
    @EnumSource
    void bothSidesTalk(QemuRelease release, @TempDir Path folder) throws Exception {
        Path path = folder.resolve("vm.vsock");
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                HostPort sums = HostPort.sums(path, 9);
                HostPort _ = HostPort.bye(path, 10)) {
            VdpaDevice vsock = devices.serve("v0", "vsock", attributes(path));
            GuestSpec spec = spec(SETUP + TALK, folder).release(release).device(device(devices.socket("v0")));
            GuestResult result;
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "listening");
                // Both ways at the same time.
                guest.send("go");
                awaitListener(path);
                talkToGuest(path);
                assertThat(new String(
                                VsockClient.exchange(path, 78, "abcdef".getBytes(StandardCharsets.UTF_8)),
                                StandardCharsets.UTF_8))
                        .as("the guest ends it")
                        .isEqualTo("abc");
                assertThatThrownBy(() -> VsockClient.exchange(path, 79, new byte[0]))
                        .hasMessageContaining("nobody listens");
                Lab.await(guest, "talked");
                guest.send("go");
                result = guest.awaitResult(Lab.PATIENCE);
            }
            JsonNode sent = Lab.line(result, "sent");
            assertThat(sent.path("errors").asString()).isEmpty();
            String sum = sent.path("sent").asString();
            assertThat(sum).hasSize(64);
            assertThat(sent.path("answers").asString().split(" "))
                    .hasSize(AT_ONCE)
                    .containsOnly(sum);
            assertThat(sums.served()).isEqualTo(AT_ONCE);
            assertThat(Lab.line(result, "bye").path("bye").asString()).isEqualTo("bye");
            assertThat(Lab.line(result, "nobody").path("nobody").asInt()).isNotZero();
            assertThat(Lab.line(result, "why").path("why").asString()).containsIgnoringCase("reset");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
            assertThat(vsock.statistics().total().failedRequests()).isZero();
            assertThat(vsock.statistics().total().writtenBytes()).isGreaterThan((long) AT_ONCE * BYTES);
            assertThat(vsock.statistics().total().readBytes()).isGreaterThan((long) AT_ONCE * BYTES);
        }
    }

    /** The guest says that it is up before its programs listen. */
    private static void awaitListener(Path path) throws Exception {
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (true) {
            try {
                byte[] _ = VsockClient.exchange(path, 78, new byte[1]);
                return;
            } catch (IOException e) {
                if (System.nanoTime() > end) {
                    throw e;
                }
                Thread.sleep(50);
            }
        }
    }

    private static void talkToGuest(Path path) throws Exception {
        try (ExecutorService clients = Executors.newFixedThreadPool(AT_ONCE)) {
            List<Future<String>> answers = new ArrayList<>();
            List<String> expected = new ArrayList<>();
            for (int i = 0; i < AT_ONCE; i++) {
                byte[] content = new byte[BYTES];
                new Random(i).nextBytes(content);
                expected.add(RootImage.sha256(content));
                answers.add(clients.submit(
                        () -> new String(VsockClient.exchange(path, 77, content), StandardCharsets.UTF_8).strip()));
            }
            for (int i = 0; i < AT_ONCE; i++) {
                assertThat(answers.get(i).get()).isEqualTo(expected.get(i));
            }
        }
    }

    private static final String REPLUGGED = SETUP + """
            emit '{"at":"up"}'
            await driven
            socat -u VSOCK-CONNECT:2:8 - >/tmp/got &
            connected=$!
            await '[ "$(cat /tmp/got)" = hello ]'
            emit '{"at":"first"}'
            wait $connected
            emit "{\\"at\\":\\"lost\\",\\"got\\":\\"$(cat /tmp/got)\\"}"
            await driven
            emit "{\\"at\\":\\"again\\",\\"there\\":$?}"
            receive >/dev/null
            """;

    /**
     * QEMU does not move this device: it is taken out, and another host's is put in. The guest's connection ends, its
     * listeners stay, and new connections work.
     */
    @Test
    void aConnectionEndsWhenTheDeviceLeavesAndAnotherHostsGoesOn(@TempDir Path folder) throws Exception {
        Path here = folder.resolve("here.vsock");
        Path there = folder.resolve("there.vsock");
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                HostPort hello = HostPort.hello(here, 8)) {
            VdpaDevice _ = devices.serve("v0", "vsock", attributes(here));
            VdpaDevice _ = devices.serve("v1", "vsock", attributes(there));
            GuestSpec spec = spec(REPLUGGED, folder).arguments("-device", "pcie-root-port,id=port0,chassis=1");
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "up");
                Qmp qmp = guest.machine().qmp();
                HotPlug.plug(qmp, device(devices.socket("v0")));
                Lab.await(guest, "first");
                assertThat(hello.served()).isEqualTo(1);
                assertThatThrownBy(() -> qmp.execute("migrate", Map.of("uri", "exec:cat >/dev/null")))
                        .isInstanceOf(QmpException.class)
                        .hasMessageContaining("vhost-user-vsock");
                HotPlug.unplug(qmp, "v0", Duration.ofSeconds(60));
                Lab.await(guest, "lost");
                HotPlug.plug(qmp, device(devices.socket("v1")));
                Lab.await(guest, "again");
                awaitListener(there);
                talkToGuest(there);
                guest.send("go");
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                assertThat(Lab.line(result, "got").path("got").asString()).isEqualTo("hello");
                assertThat(Lab.line(result, "there").path("there").asInt()).isZero();
            }
        }
    }

    private static final String FORGOTTEN = SETUP + """
            socat -u VSOCK-CONNECT:2:8 - >/tmp/got &
            connected=$!
            await '[ "$(cat /tmp/got)" = hello ]'
            emit '{"at":"up"}'
            wait $connected
            emit "{\\"at\\":\\"lost\\",\\"got\\":\\"$(cat /tmp/got)\\"}"
            receive >/dev/null
            """;

    /**
     * A device goes on with a driver's rings and knows nothing of its connections, as one of another process does: the guest
     * is told by an event. QEMU's own socket device keeps that queue to itself; its generic one does not.
     */
    @Test
    void aGuestIsToldThatItsConnectionsAreGone(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("vm.vsock");
        try (SoftwareDevices devices = new SoftwareDevices(folder);
                HostPort hello = HostPort.hello(path, 8)) {
            VdpaDevice vsock = devices.serve("v0", "vsock", attributes(path));
            GuestSpec spec = spec(FORGOTTEN, folder)
                    .release(QemuRelease.V11)
                    .device(VhostUserDevice.of("v0", "vhost-user-test-device-pci", devices.socket("v0"))
                            .with("virtio-id", DeviceId.VSOCK)
                            .with("num_vqs", vsock.queueCount())
                            .with("vq_size", vsock.maxQueueSize(0))
                            .with("config_size", vsock.configByteCount()));
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "up");
                assertThat(hello.served()).isEqualTo(1);
                Qmp qmp = guest.machine().qmp();
                var _ = qmp.execute("stop");
                vsock.reset();
                var _ = qmp.execute("cont");
                Lab.await(guest, "lost");
                awaitListener(path);
                talkToGuest(path);
                guest.send("go");
                GuestResult result = guest.awaitResult(Lab.PATIENCE);
                assertThat(Lab.line(result, "got").path("got").asString()).isEqualTo("hello");
            }
        }
    }
}
