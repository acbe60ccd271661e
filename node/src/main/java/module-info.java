/** One host's node: its devices and machines, the channel to other nodes, live migration. */
module io.fairlead.node {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.devices;
    requires transitive io.fairlead.vhostuser;
    requires transitive io.fairlead.qemu;
    requires transitive tools.jackson.databind;
    requires org.bouncycastle.pkix;
    requires org.bouncycastle.provider;
    requires org.slf4j;

    exports io.fairlead.node;
    exports io.fairlead.node.channel;
    exports io.fairlead.node.journal;
    exports io.fairlead.node.memory;
    exports io.fairlead.node.migration;
    exports io.fairlead.node.tls;
}
