/** Benchmarks against peers. */
module io.fairlead.bench {
    requires static transitive org.jspecify;
    requires io.fairlead.devices;
    requires io.fairlead.vhostuser;
    requires io.fairlead.testbed;
    requires tools.jackson.databind;
    exports io.fairlead.bench;
}
