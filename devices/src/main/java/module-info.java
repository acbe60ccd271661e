/** Software devices, one package a type. */
module io.fairlead.devices {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.vdpa;
    requires org.slf4j;

    exports io.fairlead.devices.all;
    exports io.fairlead.devices.base;
    exports io.fairlead.devices.blk;
    exports io.fairlead.devices.console;
    exports io.fairlead.devices.error;
    exports io.fairlead.devices.fs;
    exports io.fairlead.devices.net;
    exports io.fairlead.devices.rng;
    exports io.fairlead.devices.scsi;
    exports io.fairlead.devices.vsock;
}
