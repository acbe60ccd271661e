/** The core: the device contract, its memory map, life cycle, registry and statistics; device state and pre-flight check. */
module io.fairlead.vdpa {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.virtio;
    requires org.slf4j;

    exports io.fairlead.vdpa;
    exports io.fairlead.vdpa.loop;
    exports io.fairlead.vdpa.preflight;
    exports io.fairlead.vdpa.relay;
    exports io.fairlead.vdpa.state;
}
