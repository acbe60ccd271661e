package io.fairlead.linux;

/**
 * Numbers and layouts of {@code linux/vhost.h} and {@code linux/vhost_types.h}, as /dev/vhost-vdpa-N has them. Structures
 * are in the byte order of this processor.
 */
public final class Vhost {
    private static final int VHOST_VIRTIO = 0xaf;

    /** {@code struct vhost_vring_state}: index, num. */
    public static final int VRING_STATE_SIZE = 8;

    public static final int VRING_STATE_NUM = 4;

    /** {@code struct vhost_vring_file}: index, fd (-1 for none). */
    public static final int VRING_FILE_SIZE = 8;

    public static final int VRING_FILE_FD = 4;

    /** {@code struct vhost_vring_addr}: index, flags, then addresses of 64 bits. */
    public static final int VRING_ADDR_SIZE = 40;

    public static final int VRING_ADDR_DESC = 8;
    public static final int VRING_ADDR_USED = 16;
    public static final int VRING_ADDR_AVAIL = 24;

    /** {@code struct vhost_vdpa_config}: off, len, then the bytes. */
    public static final int CONFIG_SIZE = 8;

    public static final int CONFIG_LEN = 4;

    /** {@code struct vhost_vdpa_iova_range}: first, last. */
    public static final int IOVA_RANGE_SIZE = 16;

    public static final int IOVA_RANGE_LAST = 8;

    /** {@code struct vhost_msg_v2}: type, asid, then {@code struct vhost_iotlb_msg}. */
    public static final int MSG_V2_SIZE = 72;

    public static final int MSG_V2_ASID = 4;
    public static final int MSG_V2_IOVA = 8;
    public static final int MSG_V2_BYTES = 16;
    public static final int MSG_V2_UADDR = 24;
    public static final int MSG_V2_PERM = 32;
    public static final int MSG_V2_TYPE = 33;

    public static final long VHOST_GET_FEATURES = Ioctl.IOR(VHOST_VIRTIO, 0x00, 8);
    public static final long VHOST_SET_FEATURES = Ioctl.IOW(VHOST_VIRTIO, 0x00, 8);
    public static final long VHOST_SET_OWNER = Ioctl.IO(VHOST_VIRTIO, 0x01);
    public static final long VHOST_SET_LOG_BASE = Ioctl.IOW(VHOST_VIRTIO, 0x04, 8);
    public static final long VHOST_SET_VRING_NUM = Ioctl.IOW(VHOST_VIRTIO, 0x10, VRING_STATE_SIZE);
    public static final long VHOST_SET_VRING_ADDR = Ioctl.IOW(VHOST_VIRTIO, 0x11, VRING_ADDR_SIZE);
    public static final long VHOST_SET_VRING_BASE = Ioctl.IOW(VHOST_VIRTIO, 0x12, VRING_STATE_SIZE);
    public static final long VHOST_GET_VRING_BASE = Ioctl.IOWR(VHOST_VIRTIO, 0x12, VRING_STATE_SIZE);
    public static final long VHOST_SET_VRING_KICK = Ioctl.IOW(VHOST_VIRTIO, 0x20, VRING_FILE_SIZE);
    public static final long VHOST_SET_VRING_CALL = Ioctl.IOW(VHOST_VIRTIO, 0x21, VRING_FILE_SIZE);
    public static final long VHOST_SET_VRING_ERR = Ioctl.IOW(VHOST_VIRTIO, 0x22, VRING_FILE_SIZE);
    public static final long VHOST_SET_BACKEND_FEATURES = Ioctl.IOW(VHOST_VIRTIO, 0x25, 8);
    public static final long VHOST_GET_BACKEND_FEATURES = Ioctl.IOR(VHOST_VIRTIO, 0x26, 8);

    public static final long VHOST_VDPA_GET_DEVICE_ID = Ioctl.IOR(VHOST_VIRTIO, 0x70, 4);
    public static final long VHOST_VDPA_GET_STATUS = Ioctl.IOR(VHOST_VIRTIO, 0x71, 1);
    public static final long VHOST_VDPA_SET_STATUS = Ioctl.IOW(VHOST_VIRTIO, 0x72, 1);
    public static final long VHOST_VDPA_GET_CONFIG = Ioctl.IOR(VHOST_VIRTIO, 0x73, CONFIG_SIZE);
    public static final long VHOST_VDPA_SET_CONFIG = Ioctl.IOW(VHOST_VIRTIO, 0x74, CONFIG_SIZE);
    public static final long VHOST_VDPA_SET_VRING_ENABLE = Ioctl.IOW(VHOST_VIRTIO, 0x75, VRING_STATE_SIZE);
    public static final long VHOST_VDPA_GET_VRING_NUM = Ioctl.IOR(VHOST_VIRTIO, 0x76, 2);
    public static final long VHOST_VDPA_SET_CONFIG_CALL = Ioctl.IOW(VHOST_VIRTIO, 0x77, 4);
    public static final long VHOST_VDPA_GET_IOVA_RANGE = Ioctl.IOR(VHOST_VIRTIO, 0x78, IOVA_RANGE_SIZE);
    public static final long VHOST_VDPA_GET_CONFIG_SIZE = Ioctl.IOR(VHOST_VIRTIO, 0x79, 4);
    public static final long VHOST_VDPA_GET_AS_NUM = Ioctl.IOR(VHOST_VIRTIO, 0x7a, 4);
    public static final long VHOST_VDPA_GET_VRING_GROUP = Ioctl.IOWR(VHOST_VIRTIO, 0x7b, VRING_STATE_SIZE);
    public static final long VHOST_VDPA_SET_GROUP_ASID = Ioctl.IOW(VHOST_VIRTIO, 0x7c, VRING_STATE_SIZE);
    public static final long VHOST_VDPA_SUSPEND = Ioctl.IO(VHOST_VIRTIO, 0x7d);
    public static final long VHOST_VDPA_RESUME = Ioctl.IO(VHOST_VIRTIO, 0x7e);
    public static final long VHOST_VDPA_GET_VRING_DESC_GROUP = Ioctl.IOWR(VHOST_VIRTIO, 0x7f, VRING_STATE_SIZE);
    public static final long VHOST_VDPA_GET_VQS_COUNT = Ioctl.IOR(VHOST_VIRTIO, 0x80, 4);
    public static final long VHOST_VDPA_GET_GROUP_NUM = Ioctl.IOR(VHOST_VIRTIO, 0x81, 4);
    public static final long VHOST_VDPA_GET_VRING_SIZE = Ioctl.IOWR(VHOST_VIRTIO, 0x82, VRING_STATE_SIZE);

    /** Bits of {@link #VHOST_GET_BACKEND_FEATURES}, by number. */
    public static final int VHOST_BACKEND_F_IOTLB_MSG_V2 = 1;

    public static final int VHOST_BACKEND_F_IOTLB_BATCH = 2;
    public static final int VHOST_BACKEND_F_IOTLB_ASID = 3;
    public static final int VHOST_BACKEND_F_SUSPEND = 4;
    public static final int VHOST_BACKEND_F_RESUME = 5;
    public static final int VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK = 6;
    public static final int VHOST_BACKEND_F_DESC_ASID = 7;
    public static final int VHOST_BACKEND_F_IOTLB_PERSIST = 8;

    /** Type of {@code struct vhost_msg_v2}. */
    public static final int VHOST_IOTLB_MSG_V2 = 2;

    public static final int VHOST_ACCESS_RO = 1;
    public static final int VHOST_ACCESS_RW = 3;
    public static final int VHOST_IOTLB_UPDATE = 2;
    public static final int VHOST_IOTLB_INVALIDATE = 3;
    public static final int VHOST_IOTLB_BATCH_BEGIN = 5;
    public static final int VHOST_IOTLB_BATCH_END = 6;

    // What follows is not upstream: migration of vDPA devices in the kernels of openEuler.

    /** Bytes of the log that {@link #VHOST_SET_LOG_BASE} names. */
    public static final long EULER_SET_LOG_SIZE = Ioctl.IOW(VHOST_VIRTIO, 0x05, 8);

    /** Has the device put what it wrote into the log. */
    public static final long EULER_LOG_SYNC = Ioctl.IO(VHOST_VIRTIO, 0x06);

    /** Off, length, then the bytes of the device's own state. */
    public static final long EULER_GET_DEV_BUFFER = Ioctl.IOR(VHOST_VIRTIO, 0xb0, CONFIG_SIZE);

    public static final long EULER_SET_DEV_BUFFER = Ioctl.IOW(VHOST_VIRTIO, 0xb1, CONFIG_SIZE);
    public static final long EULER_SET_MIG_STATE = Ioctl.IOW(VHOST_VIRTIO, 0xb2, 1);
    public static final long EULER_GET_DEV_BUFFER_SIZE = Ioctl.IOR(VHOST_VIRTIO, 0xb3, 4);

    /** Bit of the backend features: the log has a byte for each page, not a bit. */
    public static final int EULER_BACKEND_F_BYTEMAP_LOG = 0x3f;

    public static final int EULER_MIG_STATE_PRE_START = 2;
    public static final int EULER_MIG_STATE_CANCEL = 4;
    public static final int EULER_MIG_STATE_POST_START = 5;

    private Vhost() {}
}
