package io.fairlead.virtio;

/**
 * What a guest or its driver did against the specification: an address outside its memory, a malformed chain, an
 * impossible index. It harms that guest's device alone (NEEDS_RESET), is counted and logged with the device's name, and
 * is never a fault of the host ({@link java.io.IOException}) or of this program ({@link IllegalStateException}).
 */
public final class GuestFaultException extends Exception {
    private static final long serialVersionUID = 1L;

    public GuestFaultException(String message) {
        super(message);
    }
}
