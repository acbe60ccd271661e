/** Fetched QEMU, guest kernels and images for tests, demo and benchmarks. */
module io.fairlead.testbed {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.qemu;
    requires org.slf4j;
    requires tools.jackson.databind;

    exports io.fairlead.testbed;
    exports io.fairlead.testbed.blkio;
}
