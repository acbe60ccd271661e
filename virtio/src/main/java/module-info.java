/** The virtio specification as code: identifiers, feature bits, configuration layouts and virtqueues. */
module io.fairlead.virtio {
    requires static transitive org.jspecify;
    requires transitive io.fairlead.linux;

    exports io.fairlead.virtio;
}
