package io.fairlead.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.blk.BlkDevice;
import io.fairlead.devices.blk.BlkSettings;
import io.fairlead.node.channel.Hello;
import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.NodeChannel;
import io.fairlead.node.channel.NodeListener;
import io.fairlead.node.channel.RequestHandler;
import io.fairlead.node.migration.Kind;
import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.node.tls.NodeCertificates;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.state.DeviceSnapshot;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Asks a node on the loopback, with real certificates. */
@Timeout(60)
class SourceProfilesTest {
    private static final Duration LONG = Duration.ofDays(30);

    @TempDir
    Path folder;

    private Path certificates;
    private byte[] state;

    /** A node whose machine vm0 has disk0; it counts who asks. */
    private final class Other implements RequestHandler {
        int asked;

        @Override
        public Message answer(NodeChannel channel, Message request) throws IOException {
            asked++;
            if (!request.kind().equals(Kind.DESCRIBE)
                    || !request.text("machine").equals("vm0")) {
                throw new IOException("there is no machine " + request.text("machine"));
            }
            Message answer =
                    new Message(Kind.DESCRIBE, Message.of(Kind.DESCRIBE).fields(), List.of(state));
            answer.fields().putArray("devices").add("disk0");
            return answer;
        }

        @Override
        public void ended(NodeChannel channel, IOException reason) {}
    }

    @BeforeEach
    void prepare() throws IOException {
        certificates =
                CertificateAuthority.openOrCreate(folder.resolve("ca"), LONG).createHost(List.of("127.0.0.1"), LONG);
        BlkSettings settings = BlkSettings.of(Files.write(folder.resolve("disk.img"), new byte[1 << 20]))
                .withQueueCount(3);
        try (EventLoopGroup loops = new EventLoopGroup(1);
                BlkDevice disk = BlkDevice.create("disk0", settings, loops)) {
            state = DeviceSnapshot.take(disk, new UUID(1, 2), 0, false).encode();
        }
    }

    private NodeListener listen(RequestHandler handler) throws IOException {
        return new NodeListener(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                NodeCertificates.load(certificates),
                port -> new Hello("other", "i", ":" + port),
                handler);
    }

    private SourceProfiles profiles(Path ownCertificates) {
        return new SourceProfiles(new NodeOptions(
                "own",
                folder.resolve("state"),
                folder.resolve("ctl"),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                ownCertificates));
    }

    private Path kept() {
        return folder.resolve("state/devices/disk0.state");
    }

    @Test
    void asksOnceAndKnowsItWhenTheOtherNodeIsGone() throws Exception {
        Other other = new Other();
        HostPort address;
        DeviceProfile first;
        try (NodeListener listener = listen(other)) {
            address = new HostPort("127.0.0.1", listener.port());
            first = profiles(certificates).profile(address, "vm0", "disk0");
            assertThat(first.queues()).hasSize(3);
            assertThat(profiles(certificates).profile(address, "vm0", "disk0")).isEqualTo(first);
        }
        assertThat(other.asked).isOne();
        assertThat(profiles(certificates).profile(address, "vm0", "disk0")).isEqualTo(first);
        assertThat(kept()).hasBinaryContent(state);
    }

    @Test
    void saysWhyThereIsNone() throws Exception {
        SourceProfiles profiles = profiles(certificates);
        HostPort gone;
        try (NodeListener listener = listen(new Other())) {
            gone = new HostPort("127.0.0.1", listener.port());
            assertThatThrownBy(() -> profiles.profile(gone, "vm1", "disk0"))
                    .hasMessageContainingAll("device disk0", gone.toString(), "there is no machine vm1");
            assertThatThrownBy(() -> profiles.profile(gone, "vm0", "disk1"))
                    .hasMessageContainingAll("device disk1", "no such device there", "disk0");
        }
        assertThatThrownBy(() -> profiles.profile(gone, "vm0", "disk0"))
                .hasMessageContainingAll("device disk0", "cannot be reached");
        assertThatThrownBy(() -> profiles.profile(gone, "vm0", "../disk0")).hasMessageContaining("without /");
        assertThat(kept()).doesNotExist();
    }

    @Test
    void takesNothingFromAStrangerNorWhatIsNoState() throws Exception {
        Path stranger = CertificateAuthority.openOrCreate(folder.resolve("theirs"), LONG)
                .createHost(List.of("127.0.0.1"), LONG);
        try (NodeListener listener = listen(new Other())) {
            HostPort address = new HostPort("127.0.0.1", listener.port());
            assertThatThrownBy(() -> profiles(stranger).profile(address, "vm0", "disk0"))
                    .hasMessageContaining("one authority");
            state[state.length / 2] ^= 1;
            assertThatThrownBy(() -> profiles(certificates).profile(address, "vm0", "disk0"))
                    .hasMessageContainingAll("device disk0", address.toString());
        }
        assertThat(kept()).doesNotExist();
    }

    @Test
    void saysHowToGetOverADamagedFile() throws Exception {
        Files.createDirectories(kept().getParent());
        Files.write(kept(), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> profiles(certificates).profile(new HostPort("127.0.0.1", 1), "vm0", "disk0"))
                .hasMessageContainingAll("disk0.state", "is damaged", "remove it to ask 127.0.0.1:1 again");
    }
}
