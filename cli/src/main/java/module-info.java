/** The fairlead command. */
module io.fairlead.cli {
    requires static transitive org.jspecify;
    requires io.fairlead.devices;
    requires io.fairlead.kernel;
    requires io.fairlead.vhostuser;
    requires io.fairlead.qemu;
    requires io.fairlead.testbed;
    requires io.fairlead.node;
    requires io.fairlead.daemon;
    requires io.fairlead.bench;
    requires info.picocli;
    requires java.management;
    requires tools.jackson.databind;
    requires org.slf4j;

    opens io.fairlead.cli to
            info.picocli;
    opens io.fairlead.cli.demo to
            tools.jackson.databind;
}
