package io.fairlead.daemon.http;

import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/** A request as a handler sees it. Belongs to the handler's thread. */
public interface Request {
    /** The method. */
    Method method();

    /** The path as it was sent, without the query. */
    String path();

    /**
     * A parameter of the route's path, decoded: never empty, without {@code /}, NUL and control characters, and neither
     * {@code .} nor {@code ..}.
     *
     * @throws IllegalStateException where the route's path has none of this name
     */
    String parameter(String name);

    /**
     * A query parameter, decoded. A request with one that the route does not name is refused before it comes here.
     *
     * @throws IllegalStateException where the route does not name it
     */
    Optional<String> query(String name);

    /**
     * A query parameter that is a whole number.
     *
     * @throws ApiException 400 where it is none, or out of bounds
     */
    default long query(String name, long otherwise, long least, long most) throws ApiException {
        Optional<String> text = query(name);
        if (text.isEmpty()) {
            return otherwise;
        }
        try {
            long value = Long.parseLong(text.get());
            if (value >= least && value <= most) {
                return value;
            }
        } catch (NumberFormatException _) {
            // Said below.
        }
        throw ApiException.badRequest(
                "%s=%s: not a whole number from %d to %d".formatted(name, text.get(), least, most));
    }

    /** A header's first value. */
    Optional<String> header(String name);

    /**
     * The body, a JSON object. A request without a body has an empty one.
     *
     * @throws ApiException 400 where it is something else
     */
    ObjectNode json() throws ApiException;

    /** The body as UTF-8 text, of the content type that the route accepts. */
    String text() throws ApiException;

    /** Who asks. */
    Caller caller();
}
