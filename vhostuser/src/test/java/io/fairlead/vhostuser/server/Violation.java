package io.fairlead.vhostuser.server;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.vhostuser.protocol.Connection;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DriverRings;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;

/** What a client may do against the protocol, and what its session's end must say of it. */
@SuppressWarnings("ImmutableEnumChecker") // deeds are lambdas without state
enum Violation {
    UNKNOWN_MESSAGE("is not one that was offered", c -> c.send(message(99, 1, new byte[0]))),
    MESSAGE_ZERO("is not one that was offered", c -> c.send(message(0, 1, new byte[0]))),
    MESSAGE_NOT_OFFERED("is not one that was offered", c -> c.send(message(28, 1, new byte[0]))),
    WRONG_VERSION("protocol version 2", c -> c.send(message(1, 2, new byte[0]))),
    UNASKED_REPLY("a reply came", c -> c.send(message(1, 1 | Connection.FLAG_REPLY, new byte[0]))),
    HUGE_PAYLOAD("bytes of payload", c -> c.sendRaw(header(2, 1, 1 << 20), List.of())),
    NEGATIVE_PAYLOAD("bytes of payload", c -> c.sendRaw(header(2, 1, -1), List.of())),
    END_WITHIN_HEADER("ends within a message", c -> {
        c.sendRaw(new byte[5], List.of());
        c.socket.shutdown();
    }),
    END_WITHIN_PAYLOAD("ends within", c -> {
        c.sendRaw(header(2, 1, 8), List.of());
        c.socket.shutdown();
    }),
    SHORT_PAYLOAD("SET_FEATURES has 4 bytes", c -> c.send(Request.SET_FEATURES, 0, new byte[4])),
    LONG_PAYLOAD("SET_VRING_NUM has 12 bytes", c -> c.send(Request.SET_VRING_NUM, 0, new byte[12])),
    SURPLUS_DESCRIPTOR(
            "came with 1 descriptors",
            c -> c.send(Request.SET_FEATURES, 0, TestClient.u64(ServedDisk.FEATURES), c.memoryFd)),
    MISSING_DESCRIPTOR(
            "came with 0 descriptors", c -> c.send(Request.ADD_MEM_REG, 0, TestClient.region(0, 4096, 0, 0))),
    UNOFFERED_FEATURES("were not offered", c -> c.send(Request.SET_FEATURES, 0, TestClient.u64(-1))),
    UNOFFERED_PROTOCOL_FEATURES(
            "were not offered", c -> c.send(Request.SET_PROTOCOL_FEATURES, 0, TestClient.u64(1L << 63))),
    RING_OUT_OF_RANGE("the device has 2", c -> c.send(Request.SET_VRING_NUM, 0, TestClient.state(2, 16))),
    RING_NEGATIVE("the device has 2", c -> c.send(Request.SET_VRING_NUM, 0, TestClient.state(-1, 16))),
    RING_OF_KICK_OUT_OF_RANGE(
            "the device has 2", c -> c.send(Request.SET_VRING_KICK, 0, TestClient.u64(7), c.kick.fd())),
    RING_TOO_LARGE("at most 1024", c -> c.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 1025))),
    RING_EMPTY("at most 1024", c -> c.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 0))),
    RING_SIZE_HUGE("4294967295 entries", c -> c.send(Request.SET_VRING_NUM, 0, TestClient.state(0, -1))),
    RING_PAYLOAD_BITS("unknown bits", c -> c.send(Request.SET_VRING_KICK, 0, TestClient.u64(1L << 32), c.kick.fd())),
    KICK_WITHOUT_DESCRIPTOR("descriptor is missing", c -> c.send(Request.SET_VRING_KICK, 0, TestClient.u64(0))),
    KICK_WITH_UNWANTED_DESCRIPTOR(
            "with the word that none would",
            c -> c.send(Request.SET_VRING_KICK, 0, TestClient.u64(1 << 8), c.kick.fd())),
    KICK_THAT_IS_NO_EVENTFD("not an eventfd", c -> c.send(Request.SET_VRING_KICK, 0, TestClient.u64(0), c.memoryFd)),
    CALL_THAT_IS_NO_EVENTFD("not an eventfd", c -> c.send(Request.SET_VRING_CALL, 0, TestClient.u64(1), c.socket.fd())),
    CHANNEL_THAT_IS_NO_SOCKET("setsockopt", c -> c.send(Request.SET_BACKEND_REQ_FD, 0, new byte[0], c.kick.fd())),
    START_WITHOUT_ADDRESS("without size or address", c -> {
        c.send(Request.SET_VRING_ENABLE, 0, TestClient.state(0, 1));
        c.send(Request.SET_VRING_KICK, 0, TestClient.u64(0), c.kick.fd());
    }),
    RINGS_OUTSIDE_MEMORY("in no memory region", c -> startAt(c, 0x1000)),
    RINGS_OVER_THE_END("in no memory region", c -> startAt(c, TestClient.USER_BASE + TestClient.MEMORY_BYTES - 16)),
    RING_MOVED_WHILE_RUNNING("changed while it is running", c -> {
        c.start(16, ServedDisk.FEATURES, QueueState.initial(false));
        DriverRings moved = DriverRings.lay(
                c.memory.segment().asSlice(0x20000, 0x10000),
                TestClient.GUEST_BASE + 0x20000,
                16,
                ServedDisk.FEATURES,
                0);
        c.send(Request.SET_VRING_ADDR, 0, TestClient.address(0, moved));
    }),
    RING_SIZE_WHILE_RUNNING("changed while it is running", c -> {
        c.start(16, ServedDisk.FEATURES, QueueState.initial(false));
        c.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 8));
    }),
    RING_BASE_WHILE_RUNNING("changed while it is running", c -> {
        c.start(16, ServedDisk.FEATURES, QueueState.initial(false));
        c.send(Request.SET_VRING_BASE, 0, TestClient.state(0, 8));
    }),
    FEATURES_WHILE_RUNNING("features changed", c -> {
        c.start(16, ServedDisk.FEATURES, QueueState.initial(false));
        c.send(Request.SET_FEATURES, 0, TestClient.u64(Feature.VERSION_1));
    }),
    FEATURES_WHILE_RUNNING_WITH_THE_LOG("features changed", c -> {
        c.start(16, ServedDisk.FEATURES, QueueState.initial(false));
        c.send(Request.SET_FEATURES, 0, TestClient.u64(Feature.VERSION_1 | Feature.VHOST_LOG_ALL));
    }),
    RING_MOVED_WITH_THE_LOG("changed while it is running", c -> {
        c.start(16, ServedDisk.FEATURES, QueueState.initial(false));
        DriverRings moved = DriverRings.lay(
                c.memory.segment().asSlice(0x20000, 0x10000),
                TestClient.GUEST_BASE + 0x20000,
                16,
                ServedDisk.FEATURES,
                0);
        c.send(Request.SET_VRING_ADDR, 0, TestClient.address(0, moved, 1, TestClient.GUEST_BASE));
    }),
    LOG_WITHOUT_DESCRIPTOR("came with 0 descriptors", c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(4096, 0))),
    LOG_WITH_TWO_DESCRIPTORS(
            "came with 2 descriptors",
            c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(4096, 0), c.memoryFd, c.memoryFd)),
    LOG_EMPTY("not made of whole words", c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(0, 0), c.memoryFd)),
    LOG_NEGATIVE("not made of whole words", c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(-8, 0), c.memoryFd)),
    LOG_UNEVEN("not made of whole words", c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(4097, 0), c.memoryFd)),
    LOG_AT_UNEVEN_OFFSET(
            "not made of whole words", c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(4096, 4), c.memoryFd)),
    LOG_BEYOND_ITS_FILE(
            "runs over the end",
            c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(4096, TestClient.MEMORY_BYTES - 4088), c.memoryFd)),
    LOG_OFFSET_WRAPS(
            "runs over the end",
            c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(4096, Long.MAX_VALUE - 7), c.memoryFd)),
    LOG_OF_A_SOCKET("runs over the end", c -> c.send(Request.SET_LOG_BASE, 0, TestClient.log(8, 0), c.socket.fd())),
    LOG_NOT_WRITABLE("mmap", c -> {
        try (Fd readOnly = FileIo.open(Path.of("/proc/self/exe"), FileIo.O_RDONLY, 0)) {
            c.send(Request.SET_LOG_BASE, 0, TestClient.log(4096, 0), readOnly);
        }
    }),
    LOG_FD_WITHOUT_DESCRIPTOR("came with 0 descriptors", c -> c.send(Request.SET_LOG_FD, 0, new byte[0])),
    STATE_WITHOUT_DESCRIPTOR(
            "came with 0 descriptors", c -> c.send(Request.SET_DEVICE_STATE_FD, 0, TestClient.state(0, 0))),
    STATE_WITHOUT_DIRECTION(
            "SET_DEVICE_STATE_FD has 4 bytes", c -> c.send(Request.SET_DEVICE_STATE_FD, 0, new byte[4], c.kick.fd())),
    STATE_CHECK_WITH_PAYLOAD("CHECK_DEVICE_STATE has 8 bytes", c -> c.send(Request.CHECK_DEVICE_STATE, 0, new byte[8])),
    BASE_OUT_OF_RANGE("above 65535", c -> {
        DriverRings rings = c.rings(16, ServedDisk.FEATURES);
        c.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 16));
        c.send(Request.SET_VRING_BASE, 0, TestClient.state(0, 0x10000));
        c.send(Request.SET_VRING_ADDR, 0, TestClient.address(0, rings));
        c.send(Request.SET_VRING_ENABLE, 0, TestClient.state(0, 1));
        c.send(Request.SET_VRING_KICK, 0, TestClient.u64(0), c.kick.fd());
    }),
    ENABLE_WITH_NONSENSE("not 0 or 1", c -> c.send(Request.SET_VRING_ENABLE, 0, TestClient.state(0, 2))),
    STATUS_TOO_LARGE("is not a byte", c -> c.send(Request.SET_STATUS, 0, TestClient.u64(256))),
    CONFIG_SIZE_MISMATCH("announced", c -> {
        byte[] payload = TestClient.config(0, 8, 0);
        payload[4] = 9;
        c.send(Request.GET_CONFIG, 0, payload);
    }),
    CONFIG_NEGATIVE("announced", c -> {
        byte[] payload = TestClient.config(-8, 8, 0);
        c.send(Request.SET_CONFIG, 0, payload);
    }),
    CONFIG_WRITE_OUTSIDE(
            "outside the configuration space", c -> c.send(Request.SET_CONFIG, 0, TestClient.config(4000, 8, 0))),
    TABLE_COUNT_HUGE("at most 8 are allowed", c -> {
        byte[] payload = TestClient.table(0, 4096, 0, 0);
        payload[3] = (byte) 0x80;
        c.send(Request.SET_MEM_TABLE, 0, payload, c.memoryFd);
    }),
    TABLE_LONGER_THAN_MESSAGE("in 40 bytes", c -> {
        byte[] payload = TestClient.table(0, 4096, 0, 0);
        payload[0] = 2;
        c.send(Request.SET_MEM_TABLE, 0, payload, c.memoryFd, c.memoryFd);
    }),
    TABLE_WITHOUT_DESCRIPTORS(
            "came with 0 descriptors", c -> c.send(Request.SET_MEM_TABLE, 0, TestClient.table(0, 4096, 0, 0))),
    TABLE_WITH_TOO_MANY_DESCRIPTORS(
            "came with 3 descriptors",
            c -> c.send(Request.SET_MEM_TABLE, 0, TestClient.table(0, 4096, 0, 0), c.memoryFd, c.memoryFd, c.memoryFd)),
    FLOOD_OF_DESCRIPTORS(
            "descriptors",
            c -> c.send(
                    Request.SET_MEM_TABLE,
                    0,
                    TestClient.table(0, 4096, 0, 0),
                    Collections.nCopies(253, c.memoryFd).toArray(Fd[]::new))),
    MEMORY_OVERLAPS(
            "overlap",
            c -> c.send(Request.ADD_MEM_REG, 0, TestClient.region(TestClient.GUEST_BASE, 4096, 0x1000, 0), c.memoryFd)),
    MEMORY_BEYOND_ITS_FILE(
            "runs over the end",
            c -> c.send(Request.ADD_MEM_REG, 0, TestClient.region(1L << 40, 4096, 0x1000, 1 << 30), c.memoryFd)),
    MEMORY_WRAPS(
            "is not a range",
            c -> c.send(Request.ADD_MEM_REG, 0, TestClient.region(-4096, 8192, 0x1000, 0), c.memoryFd)),
    MEMORY_OF_A_SOCKET(
            "", c -> c.send(Request.ADD_MEM_REG, 0, TestClient.region(1L << 40, 4096, 0x1000, 0), c.socket.fd())),
    REMOVING_WHAT_IS_NOT_THERE(
            "not there to be removed",
            c -> c.send(Request.REM_MEM_REG, 0, TestClient.region(1L << 40, 4096, 0x1000, 0))),
    INFLIGHT_TOO_SMALL(
            "too small or uneven",
            c -> c.send(Request.SET_INFLIGHT_FD, 0, TestClient.inflight(64, 0, 2, 256), c.memoryFd)),
    INFLIGHT_OUTSIDE_ITS_FILE(
            "is not inside its file",
            c -> c.send(Request.SET_INFLIGHT_FD, 0, TestClient.inflight(1 << 21, 0, 2, 256), c.memoryFd)),
    INFLIGHT_OFFSET_WRAPS(
            "is not inside its file",
            c -> c.send(
                    Request.SET_INFLIGHT_FD, 0, TestClient.inflight(1 << 20, Long.MAX_VALUE - 7, 2, 256), c.memoryFd)),
    INFLIGHT_OF_TOO_MANY_QUEUES(
            "the device has 2",
            c -> c.send(Request.SET_INFLIGHT_FD, 0, TestClient.inflight(1 << 20, 0, 3, 256), c.memoryFd)),
    INFLIGHT_TOO_SMALL_FOR_ITS_RING("started with an in-flight region of only 576 bytes", c -> {
        c.send(Request.SET_INFLIGHT_FD, 0, TestClient.inflight(2 * 576, 0, 2, 16), c.memoryFd);
        c.start(128, ServedDisk.FEATURES, QueueState.initial(false));
        c.receive();
    }),
    INFLIGHT_ASKED_FOR_TOO_MANY(
            "the device has 2", c -> c.send(Request.GET_INFLIGHT_FD, 0, TestClient.inflight(0, 0, 200, 16))),
    INFLIGHT_ASKED_FOR_TOO_LARGE(
            "at most 1024", c -> c.send(Request.GET_INFLIGHT_FD, 0, TestClient.inflight(0, 0, 1, 40000)));

    final String reason;
    final Deed deed;

    Violation(String reason, Deed deed) {
        this.reason = reason;
        this.deed = deed;
    }

    /** Something that a client does after the negotiation. */
    interface Deed {
        void on(TestClient client) throws IOException;
    }

    private static TestClient.Sent message(int request, int flags, byte[] payload) {
        return new TestClient.Sent(request, flags, payload, List.of());
    }

    private static byte[] header(int request, int flags, int size) {
        return TestClient.bytes(12).putInt(request).putInt(flags).putInt(size).array();
    }

    private static void startAt(TestClient client, long userAddress) throws IOException {
        client.send(Request.SET_VRING_NUM, 0, TestClient.state(0, 16));
        client.send(
                Request.SET_VRING_ADDR,
                0,
                TestClient.bytes(40)
                        .putInt(0)
                        .putInt(0)
                        .putLong(userAddress)
                        .putLong(userAddress)
                        .putLong(userAddress)
                        .putLong(0)
                        .array());
        client.send(Request.SET_VRING_ENABLE, 0, TestClient.state(0, 1));
        client.send(Request.SET_VRING_KICK, 0, TestClient.u64(0), client.kick.fd());
    }
}
