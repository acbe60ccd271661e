package io.fairlead.vhostuser.protocol;

/** The protocol feature bits of vhost-user that this front-end offers, as masks. */
public final class ProtocolFeature {
    public static final long MQ = 1L;
    public static final long LOG_SHMFD = 1L << 1;

    /** The client has a network card's back-end announce the card after a migration. */
    public static final long RARP = 1L << 2;

    public static final long REPLY_ACK = 1L << 3;
    public static final long BACKEND_REQ = 1L << 5;
    public static final long CONFIG = 1L << 9;
    public static final long INFLIGHT_SHMFD = 1L << 12;
    public static final long RESET_DEVICE = 1L << 13;
    public static final long CONFIGURE_MEM_SLOTS = 1L << 15;
    public static final long STATUS = 1L << 16;

    /** The state of the device goes over a pipe, to and from the client. */
    public static final long DEVICE_STATE = 1L << 19;

    /**
     * GET_VRING_BASE waits for nothing: what is in flight stays recorded in the in-flight region. Goes together with
     * {@link #INFLIGHT_SHMFD} alone.
     */
    public static final long GET_VRING_BASE_INFLIGHT = 1L << 20;

    private ProtocolFeature() {}
}
