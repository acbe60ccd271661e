package io.fairlead.bench.blk;

import io.fairlead.devices.all.SoftwareManagement;
import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.vhostuser.server.VhostUserServer;
import io.fairlead.virtio.DeviceId;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/** Does what {@code fairlead serve} does, for tests that run before the command line is built. */
final class TestServe {
    private TestServe() {}

    public static void main(String[] arguments) throws Exception {
        EventLoopGroup loops = new EventLoopGroup(Runtime.getRuntime().availableProcessors());
        Registry registry = new Registry();
        VhostUserServer server = new VhostUserServer();
        SoftwareManagement management = new SoftwareManagement("software", loops);
        registry.register(management);
        boolean json = List.of(arguments).contains("--json");
        for (int i = json ? 3 : 2; i < arguments.length; i += 2) {
            Map<String, String> attributes = new HashMap<>();
            for (String pair : arguments[i].split(",", -1)) {
                int equals = pair.indexOf('=');
                attributes.put(pair.substring(0, equals), pair.substring(equals + 1));
            }
            String name = attributes.remove("name");
            int type = DeviceId.byName(attributes.remove("type")).orElseThrow();
            Path socket = Path.of(attributes.remove("socket"));
            VdpaDevice device = registry.add(management.name(), name, type, attributes);
            server.serve(device, socket);
        }
        System.out.println(json ? "{\"ready\":true}" : "ready");
        new CountDownLatch(1).await();
    }
}
