package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.MachineOption;
import io.fairlead.node.Node;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.NodeOptions;
import io.fairlead.virtio.DeviceId;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What a node's host has, asked by its control socket. What a kernel adds is tested on a real one. */
class NodeObjectsTest {
    @TempDir
    private Path folder;

    @Test
    void aNodeListsWhatItHas() throws Exception {
        Path image = folder.resolve("disk.img");
        try (RandomAccessFile disk = new RandomAccessFile(image.toFile(), "rw")) {
            disk.setLength(1 << 20);
        }
        assertThat(CommandResult.run(
                                "certificates",
                                "create",
                                "--folder",
                                folder.resolve("ca").toString(),
                                "--host",
                                "localhost")
                        .exitCode())
                .isZero();
        String control = folder.resolve("ctl").toString();
        NodeOptions options = new NodeOptions(
                "alpha",
                folder.resolve("state"),
                Path.of(control),
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                folder.resolve("ca/localhost"));
        try (ServedDevices served = new ServedDevices(1)) {
            NodeDevice disk = served.make(new DeviceOption(
                    "disk0", DeviceId.BLOCK, folder.resolve("disk0.sock"), Map.of("path", image.toString())));
            try (Node node = new Node(
                    options,
                    List.of(new MachineOption("vm0", folder.resolve("qmp"), List.of("disk0"))),
                    Map.of("disk0", disk),
                    served,
                    served.inventory())) {
                assertThat(node.port()).isPositive();
                assertThat(CommandResult.run("mgmtdev", "show", "--control", control)
                                .out())
                        .contains("software: supported_classes ", " block", "vhost-vdpa: supported_classes any");
                CommandResult devices = CommandResult.run("dev", "show", "--control", control);
                assertThat(devices.exitCode()).isZero();
                assertThat(devices.out())
                        .contains(
                                "disk0: type block mgmtdev software max_vqs ",
                                " machine vm0 socket " + folder.resolve("disk0.sock"));
                JsonNode one = new JsonMapper()
                        .readTree(CommandResult.run("dev", "show", "disk0", "--json", "--control", control)
                                .out())
                        .path("dev");
                assertThat(one).hasSize(1);
                assertThat(one.path(0).path("name").asString("")).isEqualTo("disk0");
                assertThat(one.path(0).path("machine").asString("")).isEqualTo("vm0");
                CommandResult missing = CommandResult.run("dev", "show", "disk9", "--control", control);
                assertThat(missing.exitCode()).isEqualTo(1);
                assertThat(missing.err()).contains("disk9 does not exist at the node; there are: disk0");
            }
        }
    }
}
