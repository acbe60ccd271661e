package io.fairlead.node;

import io.fairlead.node.channel.Hello;
import io.fairlead.node.channel.Message;
import io.fairlead.node.channel.NodeChannel;
import io.fairlead.node.channel.RequestHandler;
import io.fairlead.node.channel.Tls;
import io.fairlead.node.journal.DurableFile;
import io.fairlead.node.migration.Kind;
import io.fairlead.node.tls.NodeCertificates;
import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.vdpa.state.DeviceState;
import io.fairlead.vdpa.state.StateFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.UUID;

/**
 * What devices are like at the nodes that a machine may come from, so that this node's can be made alike before a QEMU
 * sees them. Each is asked for once and written down: a node that starts again has the device that it had, whatever
 * became of the other node. One thread.
 */
public final class SourceProfiles {
    private static final Duration DEADLINE = Duration.ofSeconds(5);

    private final NodeOptions options;
    private final Path folder;

    public SourceProfiles(NodeOptions options) {
        this.options = options;
        folder = options.state().resolve("devices");
    }

    /**
     * What a device of a machine is at another node.
     *
     * @param device the same name there, as of {@link MachineOption#devices}
     * @throws IOException where the node cannot be asked or does not have it, or what was written down is damaged
     */
    public DeviceProfile profile(HostPort node, String machine, String device) throws IOException {
        if (device.indexOf('/') >= 0) {
            throw new IOException("device %s: like= needs a device with a name without /".formatted(device));
        }
        Path file = folder.resolve(device + ".state");
        if (Files.exists(file)) {
            return kept(file, node, device).profile();
        }
        byte[] state = ask(node, machine, device);
        DeviceProfile profile;
        try {
            profile = DeviceState.decode(state).profile();
        } catch (StateFormatException e) {
            throw new IOException(
                    "device %s: like=%s: what it says is no sound state: %s".formatted(device, node, e.getMessage()),
                    e);
        }
        DurableFile.write(file, state);
        return profile;
    }

    private static DeviceState kept(Path file, HostPort node, String device) throws IOException {
        try {
            return DeviceState.decode(Files.readAllBytes(file));
        } catch (StateFormatException e) {
            throw new IOException(
                    "device %s: %s, which says what it is like, is damaged (%s); remove it to ask %s again"
                            .formatted(device, file, e.getMessage(), node),
                    e);
        }
    }

    private byte[] ask(HostPort node, String machine, String device) throws IOException {
        NodeCertificates certificates = NodeCertificates.load(options.certificates());
        Hello own = new Hello(options.name(), UUID.randomUUID().toString(), "");
        Message answer;
        try (NodeChannel channel = Tls.connect(node.host(), node.port(), certificates, own, new Deaf(), DEADLINE)) {
            answer = channel.call(Message.of(Kind.DESCRIBE).with("machine", machine), DEADLINE);
        } catch (IOException e) {
            throw new IOException("device %s: like=%s: %s".formatted(device, node, e.getMessage()), e);
        }
        Map<String, byte[]> states = MachineCheck.byName(answer);
        byte[] state = states.get(device);
        if (state == null) {
            throw new IOException("device %s: like=%s: machine %s has no such device there, only %s"
                    .formatted(device, node, machine, states.keySet()));
        }
        return state;
    }

    /** Answers nothing: this node is not there yet. */
    private static final class Deaf implements RequestHandler {
        @Override
        public Message answer(NodeChannel channel, Message request) throws IOException {
            throw new IOException("this node only starts");
        }

        @Override
        public void ended(NodeChannel channel, IOException reason) {}
    }
}
