package io.fairlead.linux;

/** Numbers and structures of {@code linux/vduse.h}, by their names there; offsets and sizes in bytes. */
final class VduseLayout {
    static final int VDUSE_BASE = 0x81;
    static final int VDUSE_NAME_MAX = 256;

    // ---- struct vduse_dev_config ----

    static final int CONFIG_VENDOR_ID = 256;
    static final int CONFIG_DEVICE_ID = 260;
    static final int CONFIG_FEATURES = 264;
    static final int CONFIG_VQ_NUM = 272;
    static final int CONFIG_VQ_ALIGN = 276;

    /** From API version 1 on, as the next. */
    static final int CONFIG_NGROUPS = 280;

    static final int CONFIG_NAS = 284;
    static final int CONFIG_CONFIG_SIZE = 332;
    static final int CONFIG_CONFIG = 336;

    // ---- struct vduse_iotlb_entry ----

    static final int IOTLB_OFFSET = 0;
    static final int IOTLB_START = 8;
    static final int IOTLB_LAST = 16;
    static final int IOTLB_PERM = 24;
    static final int IOTLB_BYTES = 32;

    // ---- struct vduse_config_data ----

    static final int DATA_OFFSET = 0;
    static final int DATA_LENGTH = 4;
    static final int DATA_BUFFER = 8;

    // ---- struct vduse_vq_config ----

    static final int VQ_INDEX = 0;
    static final int VQ_MAX_SIZE = 4;

    /** From API version 1 on. */
    static final int VQ_GROUP = 8;

    static final int VQ_BYTES = 32;

    // ---- struct vduse_vq_info ----

    static final int INFO_INDEX = 0;
    static final int INFO_NUM = 4;
    static final int INFO_DESC_ADDR = 8;
    static final int INFO_DRIVER_ADDR = 16;
    static final int INFO_DEVICE_ADDR = 24;
    static final int INFO_SPLIT = 32;
    static final int INFO_READY = 40;
    static final int INFO_BYTES = 48;

    // ---- struct vduse_vq_eventfd ----

    static final int EVENTFD_INDEX = 0;
    static final int EVENTFD_FD = 4;
    static final int EVENTFD_BYTES = 8;

    // ---- struct vduse_dev_request ----

    static final int REQUEST_TYPE = 0;
    static final int REQUEST_REQUEST_ID = 4;
    static final int REQUEST_VQ_STATE_INDEX = 24;
    static final int REQUEST_S_STATUS = 24;
    static final int REQUEST_IOVA_START = 24;
    static final int REQUEST_IOVA_LAST = 32;

    /** From API version 1 on; older kernels leave it at 0. */
    static final int REQUEST_IOVA_V2_ASID = 40;

    static final int REQUEST_VQ_GROUP_ASID_GROUP = 24;
    static final int REQUEST_VQ_GROUP_ASID_ASID = 28;
    static final int REQUEST_VQ_READY_NUM = 24;
    static final int REQUEST_VQ_READY_READY = 28;
    static final int REQUEST_BYTES = 152;

    // ---- struct vduse_dev_response ----

    static final int RESPONSE_REQUEST_ID = 0;
    static final int RESPONSE_RESULT = 4;
    static final int RESPONSE_VQ_STATE_INDEX = 24;
    static final int RESPONSE_VQ_STATE_SPLIT = 28;
    static final int RESPONSE_BYTES = 152;

    static final int VDUSE_REQ_RESULT_OK = 0;
    static final int VDUSE_REQ_RESULT_FAILED = 1;

    // ---- enum vduse_req_type ----

    static final int VDUSE_GET_VQ_STATE = 0;
    static final int VDUSE_SET_STATUS = 1;
    static final int VDUSE_UPDATE_IOTLB = 2;
    static final int VDUSE_SET_VQ_GROUP_ASID = 3;
    static final int VDUSE_SET_VQ_READY = 4;
    static final int VDUSE_SUSPEND = 5;

    // ---- requests ----

    static final long VDUSE_GET_API_VERSION = Ioctl.IOR(VDUSE_BASE, 0x00, Long.BYTES);
    static final long VDUSE_SET_API_VERSION = Ioctl.IOW(VDUSE_BASE, 0x01, Long.BYTES);
    static final long VDUSE_CREATE_DEV = Ioctl.IOW(VDUSE_BASE, 0x02, CONFIG_CONFIG);
    static final long VDUSE_DESTROY_DEV = Ioctl.IOW(VDUSE_BASE, 0x03, VDUSE_NAME_MAX);
    static final long VDUSE_GET_FEATURES = Ioctl.IOR(VDUSE_BASE, 0x04, Long.BYTES);
    static final long VDUSE_SET_FEATURES = Ioctl.IOW(VDUSE_BASE, 0x05, Long.BYTES);
    static final long VDUSE_IOTLB_GET_FD = Ioctl.IOWR(VDUSE_BASE, 0x10, IOTLB_BYTES);
    static final long VDUSE_DEV_GET_FEATURES = Ioctl.IOR(VDUSE_BASE, 0x11, Long.BYTES);
    static final long VDUSE_DEV_SET_CONFIG = Ioctl.IOW(VDUSE_BASE, 0x12, DATA_BUFFER);
    static final long VDUSE_DEV_INJECT_CONFIG_IRQ = Ioctl.IO(VDUSE_BASE, 0x13);
    static final long VDUSE_VQ_SETUP = Ioctl.IOW(VDUSE_BASE, 0x14, VQ_BYTES);
    static final long VDUSE_VQ_GET_INFO = Ioctl.IOWR(VDUSE_BASE, 0x15, INFO_BYTES);
    static final long VDUSE_VQ_SETUP_KICKFD = Ioctl.IOW(VDUSE_BASE, 0x16, EVENTFD_BYTES);
    static final long VDUSE_VQ_INJECT_IRQ = Ioctl.IOW(VDUSE_BASE, 0x17, Integer.BYTES);

    private VduseLayout() {}
}
