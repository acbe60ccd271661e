package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * A screen by VNC.
 *
 * @param port of TCP; -1 for the next that is free
 * @param listen the host's address; null for 127.0.0.1
 * @param socket a Unix socket in place of TCP
 */
public record VncDisplay(
        int port, @Nullable String listen, @Nullable String socket, Place place, Kept kept) implements Device {

    @Override
    public String element() {
        return "graphics";
    }

    @Override
    public VncDisplay withPlace(Place value) {
        return new VncDisplay(port, listen, socket, value, kept);
    }
}
