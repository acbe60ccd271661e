package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.virtio.DeviceId;
import java.io.BufferedReader;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A stock guest's first hypervisor console is ours, by the generic device of QEMU 11.1, and somebody talks with it. */
@Timeout(300)
class ConsoleTest {
    private static final int LINES = 200;

    private static final String JOB = """
            until [ -c /dev/hvc0 ]; do sleep 0.1; done
            exec 4<>/dev/hvc0
            stty -F /dev/hvc0 raw -echo
            echo 'before anybody listens' >&4
            emit '{"at":"up"}'
            while read -r line; do
                [ "$line" = end ] && break
                echo "heard $line"
            done <&4 >&4
            """ + Lab.REPORT_KERNEL_ERRORS;

    @Test
    void aClientTalksWithTheGuest(@TempDir Path folder) throws Exception {
        try (SoftwareDevices devices = new SoftwareDevices(folder)) {
            Path listen = folder.resolve("console.sock");
            VdpaDevice console = devices.serve("console0", "console", Map.of("listen", listen.toString()));
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("console")
                    .release(QemuRelease.V11)
                    .device(VhostUserDevice.of("console0", "vhost-user-test-device-pci", devices.socket("console0"))
                            .with("virtio-id", DeviceId.CONSOLE)
                            .with("num_vqs", console.queueCount())
                            .with("vq_size", console.maxQueueSize(0))
                            .with("config_size", console.configByteCount()));
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "up");
                try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(listen));
                        BufferedReader reader =
                                new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
                    assertThat(reader.readLine()).isEqualTo("before anybody listens");
                    for (int i = 0; i < LINES; i++) {
                        String line = "line %d of %d".formatted(i, LINES);
                        send(client, line);
                        assertThat(reader.readLine()).isEqualTo("heard " + line);
                    }
                    send(client, "end");
                    GuestResult result = guest.awaitResult(Lab.PATIENCE);
                    assertThat(result.status()).isZero();
                    assertThat(Lab.line(result, "kernelErrors")
                                    .path("kernelErrors")
                                    .asString())
                            .isEmpty();
                }
            }
        }
    }

    private static void send(SocketChannel client, String line) throws Exception {
        ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            int _ = client.write(bytes);
        }
    }
}
