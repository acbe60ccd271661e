package io.fairlead.vhostuser.protocol;

/** What a peer sent against the protocol. The connection is closed with this as its reason; the device is reset. */
public final class ProtocolException extends Exception {
    private static final long serialVersionUID = 1L;

    public ProtocolException(String message) {
        super(message);
    }
}
