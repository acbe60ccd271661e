package io.fairlead.linux;

/**
 * Numbers and layouts of {@code linux/io_uring.h}, the same on every architecture.
 *
 * <p>{@code struct io_uring_sqe} (64 bytes) is written as 64-bit words: opcode, flags, priority and descriptor; offset;
 * address; length and flags of the operation; user data; three words that stay zero here. {@code struct io_uring_cqe}
 * (16 bytes): user data, result, flags.
 */
final class IoUringLayout {
    static final long NR_IO_URING_SETUP = 425;
    static final long NR_IO_URING_ENTER = 426;
    static final long NR_IO_URING_REGISTER = 427;

    static final long PARAMS_SIZE = 120;
    static final long PARAMS_SQ_ENTRIES = 0;
    static final long PARAMS_CQ_ENTRIES = 4;
    static final long PARAMS_FLAGS = 8;
    static final long PARAMS_FEATURES = 20;
    static final long PARAMS_SQ_OFF = 40;
    static final long PARAMS_CQ_OFF = 80;

    static final long SQ_OFF_HEAD = PARAMS_SQ_OFF;
    static final long SQ_OFF_TAIL = PARAMS_SQ_OFF + 4;
    static final long SQ_OFF_RING_MASK = PARAMS_SQ_OFF + 8;
    static final long SQ_OFF_FLAGS = PARAMS_SQ_OFF + 16;
    static final long SQ_OFF_ARRAY = PARAMS_SQ_OFF + 24;
    static final long CQ_OFF_HEAD = PARAMS_CQ_OFF;
    static final long CQ_OFF_TAIL = PARAMS_CQ_OFF + 4;
    static final long CQ_OFF_RING_MASK = PARAMS_CQ_OFF + 8;
    static final long CQ_OFF_CQES = PARAMS_CQ_OFF + 20;
    static final long CQ_OFF_FLAGS = PARAMS_CQ_OFF + 24;

    static final long SQE_SIZE = 64;
    static final long SQE_FD = 4;
    static final long SQE_OFF = 8;
    static final long SQE_ADDR = 16;
    static final long SQE_LEN = 24;
    static final long SQE_OP_FLAGS = 28;
    static final long SQE_USER_DATA = 32;
    static final long SQE_BUF_INDEX = 40;
    static final long SQE_ADDR3 = 48;

    static final long CQE_SIZE = 16;
    static final long CQE_USER_DATA = 0;
    static final long CQE_RES = 8;

    static final long IORING_OFF_SQ_RING = 0;
    static final long IORING_OFF_SQES = 0x10000000;

    static final int IORING_SETUP_CLAMP = 1 << 4;
    static final int IORING_SETUP_SUBMIT_ALL = 1 << 7;
    static final int IORING_SETUP_COOP_TASKRUN = 1 << 8;
    static final int IORING_SETUP_TASKRUN_FLAG = 1 << 9;

    static final int IORING_FEAT_SINGLE_MMAP = 1;
    static final int IORING_FEAT_NODROP = 1 << 1;
    /** Came with Linux 5.6, as did the operations used here. */
    static final int IORING_FEAT_RW_CUR_POS = 1 << 3;

    static final int IORING_SQ_CQ_OVERFLOW = 1 << 1;
    static final int IORING_SQ_TASKRUN = 1 << 2;
    static final int IORING_CQ_EVENTFD_DISABLED = 1;
    static final int IORING_ENTER_GETEVENTS = 1;
    static final int IORING_REGISTER_EVENTFD = 4;

    static final int IORING_OP_READV = 1;
    static final int IORING_OP_WRITEV = 2;
    static final int IORING_OP_FSYNC = 3;
    static final int IORING_OP_ASYNC_CANCEL = 14;
    static final int IORING_OP_FALLOCATE = 17;
    static final int IORING_OP_READ = 22;
    static final int IORING_OP_WRITE = 23;
    static final int IORING_FSYNC_DATASYNC = 1;
    static final int IORING_ASYNC_CANCEL_ALL = 1;
    static final int IORING_ASYNC_CANCEL_ANY = 1 << 2;

    private IoUringLayout() {}
}
