/** The vhost-user protocol. */
module io.fairlead.vhostuser {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.vdpa;
    requires org.slf4j;

    exports io.fairlead.vhostuser.client;
    exports io.fairlead.vhostuser.server;
}
