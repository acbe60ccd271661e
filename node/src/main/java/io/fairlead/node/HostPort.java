package io.fairlead.node;

/**
 * Where a node listens.
 *
 * @param host name or address; an IPv6 address without brackets
 */
public record HostPort(String host, int port) {
    /**
     * Parses {@code HOST:PORT}; an IPv6 address stands in brackets.
     *
     * @throws IllegalArgumentException with what is wrong
     */
    public static HostPort parse(String text) {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.indexOf(':') >= 0) {
            host = "";
        }
        try {
            int port = Integer.parseInt(text.substring(colon + 1));
            if (!host.isEmpty() && port >= 0 && port <= 0xffff) {
                return new HostPort(host, port);
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new IllegalArgumentException("'" + text + "' is not HOST:PORT; an IPv6 address stands in brackets");
    }

    @Override
    public String toString() {
        return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
    }
}
