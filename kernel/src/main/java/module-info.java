/** The kernel's vDPA framework: its devices as back-ends, VDUSE as front-end, and their management. */
module io.fairlead.kernel {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.vdpa;
    requires org.slf4j;

    exports io.fairlead.kernel.management;
    exports io.fairlead.kernel.vduse;
    exports io.fairlead.kernel.vhostvdpa;
}
