package io.fairlead.vhostuser.protocol;

import org.jspecify.annotations.Nullable;

/**
 * The messages that a vhost-user client (QEMU, libblkio) sends, with what each must look like: bytes of payload,
 * descriptors beside it, the protocol feature without which it is not allowed, and whether it has an answer of its own
 * (then NEED_REPLY adds none).
 */
public enum Request {
    GET_FEATURES(1, 0, 0, 0, 0, 0, true),
    SET_FEATURES(2, 8, 8, 0, 0, 0, false),
    SET_OWNER(3, 0, 0, 0, 0, 0, false),
    RESET_OWNER(4, 0, 0, 0, 0, 0, false),
    SET_MEM_TABLE(5, Payload.MEMORY_TABLE_BYTES, Payload.MAX_BYTES, 0, Payload.MAX_TABLE_REGIONS, 0, false),
    SET_LOG_BASE(6, Payload.LOG_BYTES, Payload.LOG_BYTES, 1, 1, ProtocolFeature.LOG_SHMFD, true),
    SET_LOG_FD(7, 0, 8, 1, 1, ProtocolFeature.LOG_SHMFD, false),
    SET_VRING_NUM(8, Payload.VRING_STATE_BYTES, Payload.VRING_STATE_BYTES, 0, 0, 0, false),
    SET_VRING_ADDR(9, Payload.VRING_ADDRESS_BYTES, Payload.VRING_ADDRESS_BYTES, 0, 0, 0, false),
    SET_VRING_BASE(10, Payload.VRING_STATE_BYTES, Payload.VRING_STATE_BYTES, 0, 0, 0, false),
    GET_VRING_BASE(11, Payload.VRING_STATE_BYTES, Payload.VRING_STATE_BYTES, 0, 0, 0, true),
    SET_VRING_KICK(12, 8, 8, 0, 1, 0, false),
    SET_VRING_CALL(13, 8, 8, 0, 1, 0, false),
    SET_VRING_ERR(14, 8, 8, 0, 1, 0, false),
    GET_PROTOCOL_FEATURES(15, 0, 0, 0, 0, 0, true),
    SET_PROTOCOL_FEATURES(16, 8, 8, 0, 0, 0, false),
    GET_QUEUE_NUM(17, 0, 0, 0, 0, ProtocolFeature.MQ, true),
    SET_VRING_ENABLE(18, Payload.VRING_STATE_BYTES, Payload.VRING_STATE_BYTES, 0, 0, 0, false),
    SEND_RARP(19, 8, 8, 0, 0, ProtocolFeature.RARP, false),
    SET_BACKEND_REQ_FD(21, 0, 8, 1, 1, ProtocolFeature.BACKEND_REQ, false),
    GET_CONFIG(24, Payload.CONFIG_BYTES, Payload.MAX_BYTES, 0, 0, ProtocolFeature.CONFIG, true),
    SET_CONFIG(25, Payload.CONFIG_BYTES, Payload.MAX_BYTES, 0, 0, ProtocolFeature.CONFIG, false),
    GET_INFLIGHT_FD(
            31, Payload.INFLIGHT_BYTES, Payload.INFLIGHT_PADDED_BYTES, 0, 0, ProtocolFeature.INFLIGHT_SHMFD, true),
    SET_INFLIGHT_FD(
            32, Payload.INFLIGHT_BYTES, Payload.INFLIGHT_PADDED_BYTES, 1, 1, ProtocolFeature.INFLIGHT_SHMFD, false),
    RESET_DEVICE(34, 0, 0, 0, 0, ProtocolFeature.RESET_DEVICE, false),
    GET_MAX_MEM_SLOTS(36, 0, 0, 0, 0, ProtocolFeature.CONFIGURE_MEM_SLOTS, true),
    ADD_MEM_REG(37, Payload.REGION_BYTES, Payload.REGION_BYTES, 1, 1, ProtocolFeature.CONFIGURE_MEM_SLOTS, false),
    // A descriptor is against the rules here, but known clients send one; it is closed unread.
    REM_MEM_REG(38, Payload.REGION_BYTES, Payload.REGION_BYTES, 0, 1, ProtocolFeature.CONFIGURE_MEM_SLOTS, false),
    SET_STATUS(39, 8, 8, 0, 0, ProtocolFeature.STATUS, false),
    GET_STATUS(40, 0, 0, 0, 0, ProtocolFeature.STATUS, true),
    SET_DEVICE_STATE_FD(42, Payload.TRANSFER_BYTES, Payload.TRANSFER_BYTES, 1, 1, ProtocolFeature.DEVICE_STATE, true),
    CHECK_DEVICE_STATE(43, 0, 0, 0, 0, ProtocolFeature.DEVICE_STATE, true);

    private static final @Nullable Request[] BY_CODE = new Request[44];

    static {
        for (Request request : values()) {
            BY_CODE[request.code] = request;
        }
    }

    public final int code;
    public final boolean hasReply;
    private final int minBytes;
    private final int maxBytes;
    private final int minDescriptors;
    private final int maxDescriptors;
    private final long protocolFeature;

    Request(
            int code,
            int minBytes,
            int maxBytes,
            int minDescriptors,
            int maxDescriptors,
            long protocolFeature,
            boolean hasReply) {
        this.code = code;
        this.minBytes = minBytes;
        this.maxBytes = maxBytes;
        this.minDescriptors = minDescriptors;
        this.maxDescriptors = maxDescriptors;
        this.protocolFeature = protocolFeature;
        this.hasReply = hasReply;
    }

    public static Request of(int code) throws ProtocolException {
        Request request = code > 0 && code < BY_CODE.length ? BY_CODE[code] : null;
        if (request == null) {
            throw new ProtocolException("message " + Integer.toUnsignedString(code) + " is not one that was offered");
        }
        return request;
    }

    /** Refuses a message whose form, or whose time, is wrong. */
    public void check(int byteCount, int descriptorCount, long protocolFeatures) throws ProtocolException {
        if (byteCount < minBytes || byteCount > maxBytes) {
            throw new ProtocolException("%s has %d bytes of payload, not %s"
                    .formatted(this, byteCount, minBytes == maxBytes ? minBytes : minBytes + " to " + maxBytes));
        }
        if (descriptorCount < minDescriptors || descriptorCount > maxDescriptors) {
            throw new ProtocolException("%s came with %d descriptors, not %s"
                    .formatted(
                            this,
                            descriptorCount,
                            minDescriptors == maxDescriptors
                                    ? minDescriptors
                                    : minDescriptors + " to " + maxDescriptors));
        }
        if ((protocolFeatures & protocolFeature) != protocolFeature) {
            throw new ProtocolException(this + " came without its protocol feature being negotiated");
        }
    }
}
