package io.fairlead.linux;

/** Numbers of {@code linux/netlink.h} and {@code linux/genetlink.h}, by the names that they have there. */
final class NetlinkLayout {
    static final int AF_NETLINK = 16;
    static final int SOCK_RAW = 3;
    static final int SOL_NETLINK = 270;
    static final int NETLINK_GENERIC = 16;
    static final int NETLINK_CAP_ACK = 10;
    static final int NETLINK_EXT_ACK = 11;

    static final int NLM_F_REQUEST = 1;
    static final int NLM_F_MULTI = 2;
    static final int NLM_F_ACK = 4;
    static final int NLM_F_DUMP_INTR = 0x10;
    static final int NLM_F_DUMP = 0x300;
    static final int NLM_F_CAPPED = 0x100;
    static final int NLM_F_ACK_TLVS = 0x200;

    static final int NLMSG_NOOP = 1;
    static final int NLMSG_ERROR = 2;
    static final int NLMSG_DONE = 3;
    static final int NLMSG_OVERRUN = 4;
    static final int NLMSG_HDRLEN = 16;
    static final int NLMSG_MIN_TYPE = 0x10;

    static final int NLMSGERR_ATTR_MSG = 1;
    static final int NLMSGERR_ATTR_OFFS = 2;
    static final int NLMSGERR_ATTR_MISS_TYPE = 5;

    static final int NLA_HDRLEN = 4;
    /** The type's bits without {@code NLA_F_NESTED} and {@code NLA_F_NET_BYTEORDER}. */
    static final int TYPE_MASK = 0x3fff;

    static final int GENL_HDRLEN = 4;
    static final int GENL_ID_CTRL = 0x10;
    static final int GENL_NAMSIZ = 16;
    static final int CTRL_CMD_NEWFAMILY = 1;
    static final int CTRL_CMD_GETFAMILY = 3;
    static final int CTRL_ATTR_FAMILY_ID = 1;
    static final int CTRL_ATTR_FAMILY_NAME = 2;

    /** {@code struct nlmsghdr}. */
    static final int HEADER_LENGTH = 0;

    static final int HEADER_TYPE = 4;
    static final int HEADER_FLAGS = 6;
    static final int HEADER_SEQUENCE = 8;
    static final int HEADER_PORT = 12;

    /** {@code struct nlmsgerr}: the error number, then the header of the request. */
    static final int ERROR_BYTES = 20;

    /** {@code struct sockaddr_nl}. */
    static final int SOCKADDR_BYTES = 12;

    static final int SOCKADDR_PORT = 4;

    private NetlinkLayout() {}

    /** The next multiple of 4, as {@code NLMSG_ALIGN} and {@code NLA_ALIGN} make it. */
    static int align(int byteCount) {
        return byteCount + 3 & ~3;
    }
}
