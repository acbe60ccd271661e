/** The virtio specification as code: identifiers, feature bits, configuration layouts, virtqueues and device parts. */
module io.fairlead.virtio {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.linux;

    exports io.fairlead.virtio;
    exports io.fairlead.virtio.parts;
}
