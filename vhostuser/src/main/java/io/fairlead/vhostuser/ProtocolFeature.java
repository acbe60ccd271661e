package io.fairlead.vhostuser;

/** The protocol feature bits of vhost-user that this front-end offers, as masks. */
final class ProtocolFeature {
    static final long MQ = 1L;
    static final long REPLY_ACK = 1L << 3;
    static final long BACKEND_REQ = 1L << 5;
    static final long CONFIG = 1L << 9;
    static final long INFLIGHT_SHMFD = 1L << 12;
    static final long RESET_DEVICE = 1L << 13;
    static final long CONFIGURE_MEM_SLOTS = 1L << 15;
    static final long STATUS = 1L << 16;

    private ProtocolFeature() {}
}
