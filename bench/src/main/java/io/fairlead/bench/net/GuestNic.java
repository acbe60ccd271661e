package io.fairlead.bench.net;

/** The two network cards of a guest; each has a TAP interface of the host of its own behind it, in a network of its own. */
enum GuestNic {
    FAIRLEAD("fairlead", "tapours", "52:54:00:00:0b:01", "10.9.1."),
    QEMU("qemu-tap", "tapqemu", "52:54:00:00:0b:02", "10.9.2.");

    private final String label;
    private final String tap;
    private final String mac;
    private final String network;

    GuestNic(String label, String tap, String mac, String network) {
        this.label = label;
        this.tap = tap;
        this.mac = mac;
        this.network = network;
    }

    String label() {
        return label;
    }

    /** The interface of the host. */
    String tap() {
        return tap;
    }

    /** The card's address. */
    String mac() {
        return mac;
    }

    /** The host's address there. */
    String host() {
        return network + "1";
    }

    /** The guest's. */
    String guest() {
        return network + "2";
    }
}
