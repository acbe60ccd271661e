/** Benchmarks against peers. */
module io.fairlead.bench {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.testbed;
    requires io.fairlead.devices;
    requires io.fairlead.vhostuser;
    requires java.management;
    requires tools.jackson.databind;

    exports io.fairlead.bench;
    exports io.fairlead.bench.blk;
    exports io.fairlead.bench.fs;
    exports io.fairlead.bench.migrate;
    exports io.fairlead.bench.net;
    exports io.fairlead.bench.scsi;
    exports io.fairlead.bench.vduse;
}
