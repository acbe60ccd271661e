package io.fairlead.kernel.management;

/** Numbers of {@code linux/vdpa.h}, by the names that they have there. */
final class VdpaUapi {
    static final String VDPA_GENL_NAME = "vdpa";
    static final int VDPA_GENL_VERSION = 1;

    static final int VDPA_CMD_MGMTDEV_NEW = 1;
    static final int VDPA_CMD_MGMTDEV_GET = 2;
    static final int VDPA_CMD_DEV_NEW = 3;
    static final int VDPA_CMD_DEV_DEL = 4;
    static final int VDPA_CMD_DEV_GET = 5;
    static final int VDPA_CMD_DEV_CONFIG_GET = 6;
    static final int VDPA_CMD_DEV_VSTATS_GET = 7;
    static final int VDPA_CMD_DEV_ATTR_SET = 8;

    static final int VDPA_ATTR_MGMTDEV_BUS_NAME = 1;
    static final int VDPA_ATTR_MGMTDEV_DEV_NAME = 2;
    static final int VDPA_ATTR_MGMTDEV_SUPPORTED_CLASSES = 3;
    static final int VDPA_ATTR_DEV_NAME = 4;
    static final int VDPA_ATTR_DEV_ID = 5;
    static final int VDPA_ATTR_DEV_VENDOR_ID = 6;
    static final int VDPA_ATTR_DEV_MAX_VQS = 7;
    static final int VDPA_ATTR_DEV_MAX_VQ_SIZE = 8;
    static final int VDPA_ATTR_DEV_MIN_VQ_SIZE = 9;
    static final int VDPA_ATTR_DEV_NET_CFG_MACADDR = 10;
    static final int VDPA_ATTR_DEV_NET_STATUS = 11;
    static final int VDPA_ATTR_DEV_NET_CFG_MAX_VQP = 12;
    static final int VDPA_ATTR_DEV_NET_CFG_MTU = 13;
    static final int VDPA_ATTR_DEV_NEGOTIATED_FEATURES = 14;
    static final int VDPA_ATTR_DEV_MGMTDEV_MAX_VQS = 15;
    static final int VDPA_ATTR_DEV_SUPPORTED_FEATURES = 16;
    static final int VDPA_ATTR_DEV_QUEUE_INDEX = 17;
    static final int VDPA_ATTR_DEV_VENDOR_ATTR_NAME = 18;
    static final int VDPA_ATTR_DEV_VENDOR_ATTR_VALUE = 19;
    static final int VDPA_ATTR_DEV_FEATURES = 20;
    static final int VDPA_ATTR_DEV_BLK_CFG_CAPACITY = 21;
    static final int VDPA_ATTR_DEV_BLK_CFG_SIZE_MAX = 22;
    static final int VDPA_ATTR_DEV_BLK_CFG_BLK_SIZE = 23;
    static final int VDPA_ATTR_DEV_BLK_CFG_SEG_MAX = 24;
    static final int VDPA_ATTR_DEV_BLK_CFG_NUM_QUEUES = 25;
    static final int VDPA_ATTR_DEV_BLK_CFG_PHY_BLK_EXP = 26;
    static final int VDPA_ATTR_DEV_BLK_CFG_ALIGN_OFFSET = 27;
    static final int VDPA_ATTR_DEV_BLK_CFG_MIN_IO_SIZE = 28;
    static final int VDPA_ATTR_DEV_BLK_CFG_OPT_IO_SIZE = 29;
    static final int VDPA_ATTR_DEV_BLK_CFG_MAX_DISCARD_SEC = 30;
    static final int VDPA_ATTR_DEV_BLK_CFG_MAX_DISCARD_SEG = 31;
    static final int VDPA_ATTR_DEV_BLK_CFG_DISCARD_SEC_ALIGN = 32;
    static final int VDPA_ATTR_DEV_BLK_CFG_MAX_WRITE_ZEROES_SEC = 33;
    static final int VDPA_ATTR_DEV_BLK_CFG_MAX_WRITE_ZEROES_SEG = 34;
    static final int VDPA_ATTR_DEV_BLK_READ_ONLY = 35;
    static final int VDPA_ATTR_DEV_BLK_FLUSH = 36;

    private VdpaUapi() {}
}
