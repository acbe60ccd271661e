package io.fairlead.daemon.http;

import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a server serves. The server adds the document of it, {@code GET /v1/openapi.json}.
 *
 * @param version of the program
 * @param routes in the order of the document
 * @param schemas by name: JSON schemas (2020-12), which name each other by {@code #/components/schemas/NAME}. All that
 *     the routes name have to be there
 */
public record Api(String version, List<Route> routes, ObjectNode schemas) {
    public Api {
        routes = List.copyOf(routes);
    }
}
