package io.fairlead.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is changed of devices while their machine moves. */
class DeviceChangeTest {
    /** Keeps what it is told; refuses one attribute. */
    private static final class Maker implements DeviceMaker {
        private final List<String> told = new ArrayList<>();

        @Override
        public NodeDevice make(DeviceOption option) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void remove(NodeDevice device) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void change(String name, Map<String, String> attributes, boolean forced) throws IOException {
            if (attributes.containsKey("lun3")) {
                throw new IOException("no such file");
            }
            told.add(name + attributes + forced);
        }

        @Override
        public void follow(String name, Map<String, String> attributes) throws IOException {
            if (attributes.containsKey("lun3")) {
                throw new IOException("not from another node");
            }
            told.add(name + attributes);
        }
    }

    @TempDir
    Path folder;

    private final Maker maker = new Maker();
    private final EventLoopGroup loops = new EventLoopGroup(1);
    private final Registry registry = new Registry();
    private VhostUserServer server;

    DeviceChangeTest() throws IOException {}

    @BeforeEach
    void open() throws IOException {
        server = new VhostUserServer();
        registry.register(new SoftwareManagement("software", loops));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
        registry.close();
        loops.close();
    }

    private NodeDevice device(String name) throws IOException {
        return new NodeDevice(
                registry.add("software", name, DeviceId.RNG, Map.of()), server, folder.resolve(name + ".sock"));
    }

    @Test
    void goAlongInTheirOrderFromWhenTheMoveBegan() throws IOException {
        NodeDevice a = device("a");
        NodeDevice b = device("b");
        a.change(maker, new DeviceChange(Map.of("link", "down")), false);
        a.recordChanges();
        b.recordChanges();
        a.change(maker, new DeviceChange(Map.of("rate-mbps", "10")), false);
        b.change(maker, new DeviceChange(Map.of("size", "2M")), true);
        a.change(maker, new DeviceChange(Map.of("rate-mbps", "20")), false);

        Maker there = new Maker();
        DeviceChange.replay(DeviceChange.encode(List.of(a, b)), List.of(a, b), there);
        assertThat(there.told).containsExactly("a{rate-mbps=10}", "a{rate-mbps=20}", "b{size=2M}");

        a.forgetChanges();
        b.forgetChanges();
        assertThat(new String(DeviceChange.encode(List.of(a, b)), StandardCharsets.UTF_8))
                .isEqualTo("[]");
    }

    @Test
    void oneThatTheOtherSideCannotMakeDoesNotKeepTheOthersOut() throws IOException {
        byte[] changes = """
                [{"device":"a","attributes":{"lun3":"/gone"}},
                 {"device":"unknown","attributes":{"x":"y"}},
                 {"device":"a","attributes":{"link":"up"}}]
                """.getBytes(StandardCharsets.UTF_8);
        DeviceChange.replay(changes, List.of(device("a")), maker);
        assertThat(maker.told).containsExactly("a{link=up}");
    }

    @Test
    void whatIsRefusedOrComesTooLateIsNotKept() throws IOException {
        NodeDevice a = device("a");
        a.recordChanges();
        assertThatThrownBy(() -> a.change(maker, new DeviceChange(Map.of("lun3", "x")), false))
                .hasMessage("no such file");
        a.hold();
        assertThatThrownBy(() -> a.change(maker, new DeviceChange(Map.of("link", "down")), false))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("device a: its machine stands still to run elsewhere");
        assertThat(a.changes()).isEmpty();
        a.release();
        a.change(maker, new DeviceChange(Map.of("link", "down")), false);
        assertThat(a.changes()).hasSize(1);
    }

    @Test
    void damagedOnesAreRefused() {
        assertThatThrownBy(() -> DeviceChange.replay("[{".getBytes(StandardCharsets.UTF_8), List.of(), maker))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("damaged");
    }
}
