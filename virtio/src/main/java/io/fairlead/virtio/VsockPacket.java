package io.fairlead.virtio;

/**
 * Packets and events of the socket device (virtio 1.4, 5.10.6), all numbers little-endian.
 *
 * <pre>{@code
 * struct virtio_vsock_hdr {
 *         le64 src_cid; le64 dst_cid;
 *         le32 src_port; le32 dst_port;
 *         le32 len; le16 type; le16 op; le32 flags;
 *         le32 buf_alloc; le32 fwd_cnt;
 * };
 * struct virtio_vsock_event { le32 id; };
 * }</pre>
 */
public final class VsockPacket {
    /** Packets to the driver. */
    public static final int RECEIVE_QUEUE = 0;

    /** Packets of the driver. */
    public static final int TRANSMIT_QUEUE = 1;

    public static final int EVENT_QUEUE = 2;

    /** The host's context id. */
    public static final long CID_HOST = 2;

    public static final int HEADER_BYTES = 44;
    public static final int SRC_CID_OFFSET = 0;
    public static final int DST_CID_OFFSET = 8;
    public static final int SRC_PORT_OFFSET = 16;
    public static final int DST_PORT_OFFSET = 20;
    public static final int LEN_OFFSET = 24;
    public static final int TYPE_OFFSET = 28;
    public static final int OP_OFFSET = 30;
    public static final int FLAGS_OFFSET = 32;

    /** The sender's room for data of the connection. */
    public static final int BUF_ALLOC_OFFSET = 36;

    /** Bytes that the sender has taken out of that room, a counter that runs over. */
    public static final int FWD_CNT_OFFSET = 40;

    public static final int TYPE_STREAM = 1;

    public static final int OP_INVALID = 0;
    public static final int OP_REQUEST = 1;
    public static final int OP_RESPONSE = 2;
    public static final int OP_RST = 3;
    public static final int OP_SHUTDOWN = 4;
    public static final int OP_RW = 5;
    public static final int OP_CREDIT_UPDATE = 6;
    public static final int OP_CREDIT_REQUEST = 7;

    /** Of SHUTDOWN: the sender receives no more. */
    public static final int SHUTDOWN_RECEIVE = 1;

    /** Of SHUTDOWN: the sender sends no more. */
    public static final int SHUTDOWN_SEND = 2;

    public static final int SHUTDOWN_BOTH = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;

    public static final int EVENT_BYTES = 4;

    /** All connections are gone, and the configuration may be another one (5.10.6.7). */
    public static final int EVENT_TRANSPORT_RESET = 0;

    private VsockPacket() {}
}
