/** Machines: QEMU's command line, process and QMP. */
module io.fairlead.qemu {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.linux;
    requires java.xml;
    requires org.slf4j;
    requires tools.jackson.databind;

    exports io.fairlead.qemu;
    exports io.fairlead.qemu.domain;
    exports io.fairlead.qemu.domain.command;
    exports io.fairlead.qemu.domain.format;
    exports io.fairlead.qemu.domain.lower;
    exports io.fairlead.qemu.domain.xml;
}
