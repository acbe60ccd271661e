package io.fairlead.daemon.api;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.Api;
import io.fairlead.daemon.http.Handler;
import io.fairlead.daemon.http.Route;
import io.fairlead.daemon.machine.Machines;
import io.fairlead.daemon.operation.Operations;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** All that can be asked of a daemon. */
public final class DaemonApi {
    private static final String SCHEMAS = "schemas.json";

    private DaemonApi() {}

    /** @param host answers what the host is */
    public static Api of(
            String version,
            Handler host,
            Devices devices,
            Machines machines,
            Operations operations,
            EventLog events,
            Route metrics) {
        List<Route> routes = new ArrayList<>();
        routes.add(Route.get("/v1/host", "This host and its daemon")
                .answers(200, "Host")
                .by(host));
        routes.addAll(new DeviceRoutes(devices).all());
        routes.addAll(new MachineRoutes(machines).all());
        routes.addAll(new OperationRoutes(operations, events).all());
        routes.add(metrics);
        return new Api(version, routes, schemas());
    }

    private static ObjectNode schemas() {
        try (InputStream in = Objects.requireNonNull(DaemonApi.class.getResourceAsStream(SCHEMAS))) {
            return (ObjectNode) JsonMapper.shared().readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
