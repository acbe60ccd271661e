package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;

/** {@code <reconnect>} of a vhost-user source. */
final class ReconnectXml {
    private ReconnectXml() {}

    /** Seconds; 0 for never. */
    static int read(ElementReader source) throws DomainException {
        ElementReader in = source.child("reconnect");
        if (in == null) {
            return 0;
        }
        boolean enabled = in.yesNo("enabled", false);
        int seconds = in.number("timeout", 1, 0, 3600);
        return enabled ? Math.max(1, seconds) : 0;
    }

    static void write(int seconds, ElementWriter source) {
        if (seconds > 0) {
            ElementWriter _ = source.child("reconnect").set("enabled", "yes").set("timeout", seconds);
        }
    }
}
