/** The host's daemon: its API by HTTP, what it serves, and the client that the command line uses. */
module io.fairlead.daemon {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.node;
    requires io.fairlead.kernel;
    requires transitive tools.jackson.databind;
    requires java.management;
    requires jdk.net;
    requires micrometer.commons;
    requires micrometer.core;
    requires micrometer.registry.prometheus;
    requires org.eclipse.jetty.server;
    requires org.eclipse.jetty.unixdomain.server;
    requires org.slf4j;

    exports io.fairlead.daemon;
    exports io.fairlead.daemon.client;
    exports io.fairlead.daemon.config;
    exports io.fairlead.daemon.device;
    exports io.fairlead.daemon.events;
    exports io.fairlead.daemon.http;
    exports io.fairlead.daemon.metrics;
}
