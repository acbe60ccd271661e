package io.fairlead.daemon.api;

import io.fairlead.daemon.device.DeviceOwner;
import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.http.Request;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** Management devices and devices. */
final class DeviceRoutes {
    private final Devices devices;

    DeviceRoutes(Devices devices) {
        this.devices = devices;
    }

    List<Route> all() {
        return List.of(
                Route.get("/v1/mgmtdevs", "What makes devices, Fairlead's own and the kernel's")
                        .answers(200, "ManagementDevices")
                        .by(_ -> Response.ok(Requests.object("mgmtdevs", devices.managementDevices()))),
                Route.get("/v1/devices", "All devices")
                        .answers(200, "Devices")
                        .by(_ -> Response.ok(Requests.object("devices", devices.list()))),
                Route.post("/v1/devices", "Makes a device and serves it")
                        .takesJson("NewDevice")
                        .answers(201, "Device")
                        .answers(409)
                        .by(this::add),
                Route.get("/v1/devices/{name}", "One device")
                        .answers(200, "Device")
                        .answers(404)
                        .by(request -> Response.ok(devices.get(request.parameter("name")))),
                Route.patch("/v1/devices/{name}", "Changes a device while it is used")
                        .takesJson("DeviceChange")
                        .answers(200, "Device")
                        .answers(404)
                        .by(request -> {
                            ObjectNode body = request.json();
                            return Response.ok(devices.change(
                                    request.parameter("name"),
                                    Requests.attributes(body),
                                    Requests.flag(body, "force")));
                        }),
                Route.delete("/v1/devices/{name}", "Removes a device that no machine has")
                        .answers(204)
                        .answers(404)
                        .answers(409)
                        .by(request -> {
                            devices.remove(request.parameter("name"));
                            return Response.noContent();
                        }),
                Route.get("/v1/devices/{name}/statistics", "What a device has done")
                        .answers(200, "DeviceStatistics")
                        .answers(404)
                        .by(request -> Response.ok(devices.statistics(request.parameter("name")))),
                Route.get("/v1/statistics", "What all devices have done")
                        .answers(200, "Statistics")
                        .by(_ -> Response.ok(Requests.object("devices", devices.statistics()))));
    }

    private Response add(Request request) throws ApiException, IOException {
        ObjectNode body = request.json();
        String type = Requests.text(body, "type");
        int deviceId = DeviceId.byName(type)
                .orElseThrow(
                        () -> ApiException.badRequest("type '%s' is not a virtio type; such as blk".formatted(type)));
        return Response.json(
                201, devices.add(Requests.text(body, "name"), deviceId, Requests.attributes(body), DeviceOwner.USER));
    }
}
