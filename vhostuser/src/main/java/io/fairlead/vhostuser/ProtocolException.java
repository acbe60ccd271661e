package io.fairlead.vhostuser;

/** What a peer sent against the protocol. The connection is closed with this as its reason; the device is reset. */
final class ProtocolException extends Exception {
    private static final long serialVersionUID = 1L;

    ProtocolException(String message) {
        super(message);
    }
}
