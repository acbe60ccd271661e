package io.fairlead.cli.demo;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** Another guest at the switch, which stays where it is: answers pings and takes what comes by one TCP connection. */
final class DemoPeer implements AutoCloseable {
    static final String ADDRESS = "10.0.0.2";
    static final String MACHINE_ADDRESS = "10.0.0.1";
    static final int PORT = 7000;

    private static final String NAME = "peer";
    private static final String MAC = "52:54:00:fa:1e:02";
    private static final int MEMORY_MIB = 192;
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private final Guest guest;

    private DemoPeer(Guest guest) {
        this.guest = guest;
    }

    static DemoPeer start(Testbed testbed, QemuRelease release, DemoHost host, Path folder) throws IOException {
        host.serveOther(NAME, DeviceId.NET, Map.of("switch", DemoDevices.SWITCH, "mac", MAC));
        String job = Demo.script("peer.sh").replace("@ADDRESS@", ADDRESS).replace("@PORT@", Integer.toString(PORT));
        return new DemoPeer(testbed.start(GuestSpec.job(job)
                .name(NAME)
                .release(release)
                .memoryMib(MEMORY_MIB)
                .workDirectory(folder.resolve(NAME))
                .device(VhostUserDevice.net(NAME, host.socket(NAME)).with("mac", MAC))));
    }

    /**
     * Whether it got what the machine sent while it moved.
     *
     * @param lines of the machine, which has closed the connection
     */
    DemoReport.Check check(List<JsonNode> lines) throws IOException, InterruptedException {
        String name = "TCP connection during the moves";
        String sent = text(lines, "streamed");
        GuestResult result = guest.awaitResult(PATIENCE);
        String got = text(result.lines(), "got");
        boolean same = !sent.isEmpty() && sent.equals(got);
        return new DemoReport.Check(
                name,
                same,
                same ? "%s bytes, all of them".formatted(text(result.lines(), "bytes")) : sent + " -> " + got);
    }

    private static String text(List<JsonNode> lines, String field) {
        return lines.stream()
                .filter(line -> line.has(field))
                .map(line -> line.path(field).asString(""))
                .findFirst()
                .orElse("");
    }

    @Override
    public void close() throws IOException {
        guest.close();
    }
}
