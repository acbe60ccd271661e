package io.fairlead.qemu.domain;

/**
 * Sockets between host and guest.
 *
 * @param auto whether the host chooses the number
 * @param cid the guest's number, from 3; 0 where the host is to choose
 */
public record Vsock(boolean auto, int cid, Place place, Kept kept) implements Device {

    @Override
    public String element() {
        return "vsock";
    }

    @Override
    public Vsock withPlace(Place value) {
        return new Vsock(auto, cid, value, kept);
    }
}
