package io.fairlead.daemon.api;

import io.fairlead.daemon.http.Request;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import io.fairlead.daemon.machine.Machines;
import io.fairlead.daemon.operation.Operation;
import io.fairlead.node.MachineCheck;
import io.fairlead.vdpa.preflight.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Machines. */
final class MachineRoutes {
    private static final String XML = "application/xml";
    private static final String ONE = "/v1/machines/{name}";
    private static final String GUEST_SECONDS = "guestTimeoutSeconds";
    private static final String GUEST_SECONDS_MEANING = "how long the guest may take, 1 to 3600; otherwise 30";

    private final Machines machines;

    MachineRoutes(Machines machines) {
        this.machines = machines;
    }

    /** Something that is begun for a machine. */
    private interface Begin {
        Operation begin(String name) throws Exception;
    }

    List<Route> all() {
        List<Route> routes = new ArrayList<>();
        routes.add(Route.get("/v1/machines", "All machines")
                .answers(200, "Machines")
                .by(_ -> Response.ok(Requests.object("machines", machines.list()))));
        routes.add(Route.post("/v1/machines", "Defines a machine by a libvirt domain document")
                .takes(XML)
                .answers(201, "DefinedMachine")
                .answers(409)
                .by(this::define));
        routes.add(Route.get(ONE, "One machine")
                .answers(200, "Machine")
                .answers(404)
                .by(request -> Response.ok(machines.get(name(request)))));
        routes.add(Route.delete(ONE, "Forgets a machine that does not run")
                .answers(204)
                .answers(404)
                .answers(409)
                .by(request -> {
                    machines.undefine(name(request));
                    return Response.noContent();
                }));
        routes.add(Route.get(ONE + "/xml", "Its complete domain document, as it runs")
                .query("inactive", Route.QueryType.BOOLEAN, "true: as it is started the next time")
                .answers(200, XML)
                .answers(404)
                .by(request -> Response.text(
                        XML,
                        machines.xml(
                                name(request),
                                request.query("inactive").orElse("false").equals("true")))));
        routes.add(Route.get(ONE + "/screenshot", "Its screen")
                .answers(200, "image/png")
                .answers(404)
                .answers(409)
                .by(request -> Response.bytes("image/png", machines.screenshot(name(request)))));
        routes.add(Route.get(ONE + "/statistics", "What its QEMU uses of the host")
                .answers(200, "MachineStatistics")
                .answers(404)
                .answers(409)
                .by(request -> Response.ok(machines.statistics(name(request)))));
        routes.add(Route.put(ONE + "/autostart", "Whether it is started whenever the daemon starts")
                .takesJson("Autostart")
                .answers(200, "Machine")
                .answers(404)
                .by(request ->
                        Response.ok(machines.autostart(name(request), Requests.flag(request.json(), "enabled")))));
        routes.add(Route.post(ONE + "/start", "Begins to start it")
                .mayTakeJson("Start")
                .answers(202, "Operation")
                .answers(404)
                .answers(409)
                .by(request -> Requests.begun(machines.start(name(request), Requests.flag(request.json(), "paused")))));
        routes.add(begins("shutdown", "Begins to ask its guest to shut down", machines::shutdown));
        routes.add(begins("reboot", "Begins to have its guest shut down, and to start it again", machines::reboot));
        routes.add(begins("reset", "Begins a reset, as by its button", machines::reset));
        routes.add(begins("destroy", "Begins to end it without asking its guest", machines::destroy));
        routes.add(begins("pause", "Begins to stop its processors", machines::pause));
        routes.add(begins("resume", "Begins to have its processors go on", machines::resume));
        routes.add(Route.post(ONE + "/check", "Whether it can move to another daemon's host; changes nothing")
                .takesJson("Destination")
                .answers(200, "Check")
                .answers(404)
                .answers(409)
                .by(request -> Response.ok(check(machines.check(name(request), Requests.address(request.json()))))));
        routes.add(Route.post(ONE + "/migrate", "Begins to move it to another daemon's host, with its definition")
                .takesJson("Migration")
                .answers(202, "Operation")
                .answers(404)
                .answers(409)
                .by(request -> Requests.begun(machines.migrate(
                        name(request), Requests.address(request.json()), Requests.plan(request.json())))));
        routes.add(Route.post(ONE + "/devices", "Begins to plug in a device, by its element of a domain document")
                .query(GUEST_SECONDS, Route.QueryType.INTEGER, GUEST_SECONDS_MEANING)
                .takes(XML)
                .answers(202, "Operation")
                .answers(404)
                .answers(409)
                .by(request -> Requests.begun(
                        machines.attach(name(request), request.text(), Requests.guestTimeout(request)))));
        routes.add(Route.delete(ONE + "/devices/{alias}", "Begins to take a device out")
                .query(GUEST_SECONDS, Route.QueryType.INTEGER, GUEST_SECONDS_MEANING)
                .answers(202, "Operation")
                .answers(404)
                .answers(409)
                .by(request -> Requests.begun(
                        machines.detach(name(request), request.parameter("alias"), Requests.guestTimeout(request)))));
        return routes;
    }

    private static String name(Request request) {
        return request.parameter("name");
    }

    private static Route begins(String verb, String summary, Begin begin) {
        return Route.post(ONE + "/" + verb, summary)
                .answers(202, "Operation")
                .answers(404)
                .answers(409)
                .by(request -> Requests.begun(begin.begin(name(request))));
    }

    private static ObjectNode check(MachineCheck check) {
        ObjectNode body = JsonMapper.shared().createObjectNode();
        ArrayNode lines = body.putArray("lines");
        for (MachineCheck.Line line : check.lines()) {
            Verdict verdict = line.verdict();
            String values = verdict.sourceValue() + " -> " + verdict.destinationValue();
            lines.addObject()
                    .put("severity", verdict.outcome().name().toLowerCase(Locale.ROOT))
                    .put("subject", line.subject())
                    .put(
                            "text",
                            "%s: %s: %s%s"
                                    .formatted(
                                            verdict.field(),
                                            values,
                                            verdict.reason(),
                                            verdict.remedy().isEmpty() ? "" : "; " + verdict.remedy()));
        }
        return body.put("refusal", check.refusal());
    }

    private Response define(Request request) throws Exception {
        Machines.Defined defined = machines.define(request.text());
        ObjectNode body = JsonMapper.shared().createObjectNode();
        body.set("machine", defined.machine());
        ArrayNode notices = body.putArray("notices");
        defined.notices()
                .forEach(notice -> notices.addObject()
                        .put("line", notice.line())
                        .put("place", notice.path())
                        .put("meaning", notice.meaning()));
        return Response.json(201, body);
    }
}
