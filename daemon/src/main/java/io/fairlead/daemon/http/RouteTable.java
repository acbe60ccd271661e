package io.fairlead.daemon.http;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Finds routes by method and path. Immutable. */
final class RouteTable {
    /** The answer to a path: a route with its parameters, or the methods that there are. */
    record Found(@Nullable Route route, Map<String, String> parameters, Set<Method> methods) {}

    private record Entry(Route route, List<String> segments) {}

    private final Map<Integer, List<Entry>> byLength = new HashMap<>();

    /** @throws IllegalArgumentException where a path is no template, or two routes answer the same requests */
    RouteTable(List<Route> routes) {
        Set<String> shapes = new HashSet<>();
        for (Route route : routes) {
            String path = route.path();
            if (!path.matches("(/([a-zA-Z0-9._-]+|\\{[a-zA-Z]+}))+")) {
                throw new IllegalArgumentException("a route's path: " + path);
            }
            if (!shapes.add(route.method() + path.replaceAll("\\{[a-zA-Z]+}", "{}"))) {
                throw new IllegalArgumentException("two routes for " + route.method() + " " + path);
            }
            List<String> segments = List.of(path.substring(1).split("/", -1));
            byLength.computeIfAbsent(segments.size(), _ -> new ArrayList<>()).add(new Entry(route, segments));
        }
        // A segment that is spelt out goes before a parameter.
        byLength.values()
                .forEach(entries -> entries.sort((left, right) -> {
                    for (int i = 0; i < left.segments.size(); i++) {
                        int order =
                                Boolean.compare(isParameter(left.segments.get(i)), isParameter(right.segments.get(i)));
                        if (order != 0) {
                            return order;
                        }
                    }
                    return 0;
                }));
    }

    /**
     * Looks a path up.
     *
     * @param path as it was sent
     * @throws ApiException 400 where a parameter is no name
     */
    Found find(@Nullable Method method, String path) throws ApiException {
        if (path.isEmpty() || path.charAt(0) != '/') {
            return new Found(null, Map.of(), Set.of());
        }
        List<String> segments = List.of(path.substring(1).split("/", -1));
        Set<Method> methods = EnumSet.noneOf(Method.class);
        for (Entry entry : byLength.getOrDefault(segments.size(), List.of())) {
            if (!matches(entry.segments, segments)) {
                continue;
            }
            if (entry.route.method() != method) {
                methods.add(entry.route.method());
                continue;
            }
            Map<String, String> parameters = new HashMap<>();
            for (int i = 0; i < segments.size(); i++) {
                String template = entry.segments.get(i);
                if (isParameter(template)) {
                    parameters.put(
                            template.substring(1, template.length() - 1), PercentCoding.segment(segments.get(i)));
                }
            }
            return new Found(entry.route, parameters, methods);
        }
        return new Found(null, Map.of(), methods);
    }

    private static boolean matches(List<String> template, List<String> segments) {
        for (int i = 0; i < template.size(); i++) {
            if (!isParameter(template.get(i)) && !template.get(i).equals(segments.get(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isParameter(String segment) {
        return segment.startsWith("{");
    }
}
