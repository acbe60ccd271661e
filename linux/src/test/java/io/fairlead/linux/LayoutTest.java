package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Holds every number and layout of this module against the C headers of the machine that builds it. */
class LayoutTest {
    private static final String HEADERS = """
            #define _GNU_SOURCE
            #include <errno.h>
            #include <fcntl.h>
            #include <poll.h>
            #include <stddef.h>
            #include <stdio.h>
            #include <string.h>
            #include <sys/epoll.h>
            #include <sys/eventfd.h>
            #include <sys/file.h>
            #include <sys/mman.h>
            #include <sys/resource.h>
            #include <sys/socket.h>
            #include <sys/stat.h>
            #include <sys/syscall.h>
            #include <sys/sysmacros.h>
            #include <sys/time.h>
            #include <sys/un.h>
            #include <sys/vfs.h>
            #include <sys/xattr.h>
            #include <dirent.h>
            #include <sched.h>
            #include <time.h>
            #include <linux/capability.h>
            #include <linux/falloc.h>
            #include <linux/fs.h>
            #include <linux/genetlink.h>
            #include <linux/io_uring.h>
            #include <linux/openat2.h>
            #include <linux/vduse.h>
            #include <net/if.h>
            #include <linux/if_tun.h>
            #include <linux/vhost.h>
            #include <sys/inotify.h>
            """;

    /** Classes whose upper-case numbers carry the names that C gives them. */
    private static final List<Class<?>> NAMED_AS_IN_C = List.of(
            BlockDevice.class, Errno.class, EventFd.class, FileIo.class, Memfd.class, Self.class, UnixSocket.class);

    /** Fields of those classes that are not C constants. */
    private static final List<String> NO_C_NAME =
            List.of("FLOCK_SIZE", "FLOCK_TYPE", "FLOCK_WHENCE", "FLOCK_START", "FLOCK_LEN", "FLOCK_PID");

    /** What older headers do not have of VDUSE's requests and messages. */
    private static final List<String> VDUSE_OF_VERSION_1 = List.of(
            "VDUSE_GET_FEATURES",
            "VDUSE_SET_FEATURES",
            "VDUSE_SET_VQ_GROUP_ASID",
            "VDUSE_SET_VQ_READY",
            "VDUSE_SUSPEND");

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> everyNumberIsThatOfTheHeaders() throws Exception {
        Map<String, Long> expected = numbers();
        StringBuilder body = new StringBuilder();
        expected.forEach((expression, value) -> {
            // Headers of an older kernel than ours knows lack what came later.
            String fallback = expression.startsWith("VHOST_")
                    ? "\n#ifndef %1$s\n#define %1$s %2$d\n#endif\n".formatted(expression, value)
                    : "";
            body.append(fallback + "printf(\"%lld\\n\", (long long) (" + expression + "));\n");
        });
        List<String> actual = runProbe(body.toString());
        assertThat(actual).hasSize(expected.size());
        List<String> names = List.copyOf(expected.keySet());
        return names.stream()
                .map(name -> dynamicTest(
                        name,
                        () -> assertThat(Long.parseLong(actual.get(names.indexOf(name))))
                                .as(name)
                                .isEqualTo(expected.get(name))));
    }

    @TestFactory
    Stream<DynamicTest> everyErrorHasItsNameAndText() throws Exception {
        List<String> actual = runProbe("""
                for (int i = 1; i < 134; i++) {
                    const char *name = strerrorname_np(i);
                    printf("%s (%s)\\n", name ? name : "-", name ? strerrordesc_np(i) : "-");
                }
                """);
        return Stream.iterate(1, n -> n < 134, n -> n + 1)
                .map(n -> dynamicTest("error " + n, () -> {
                    String own =
                            Errno.name(n).equals("errno " + n) ? "- (-)" : Errno.name(n) + " (" + Errno.text(n) + ")";
                    // Two names of one number: the library may choose the other.
                    assertThat(own).isEqualTo(actual.get(n - 1).replace("ENOTSUP ", "EOPNOTSUPP "));
                }));
    }

    private static Map<String, Long> numbers() throws IllegalAccessException {
        Map<String, Long> numbers = new LinkedHashMap<>();
        for (Class<?> owner : NAMED_AS_IN_C) {
            addConstants(owner, numbers);
        }
        addConstants(Epoll.class, numbers, "EPOLL");
        addConstants(Mapping.class, numbers, "PROT_", "MAP_", "MADV_");
        addConstants(Statx.class, numbers, "STATX_", "AT_");
        addConstants(SocketFile.class, numbers, "RENAME_", "SOCK_", "LOCK_");
        addConstants(SocketAddress.class, numbers, "AF_");
        // The headers of Linux 6.1 have no TUN_F_USO4.
        addConstants(Tap.class, numbers, "IFF_", "TUNSET", "TUN_F_CSUM", "TUN_F_TSO");
        addConstants(SocketMessage.class, numbers, "SOL_", "SCM_", "MSG_");
        addConstants(IoUringLayout.class, numbers, "IORING_");
        addConstants(FolderIo.class, numbers, "AT_", "RESOLVE_", "RENAME_", "XATTR_", "UTIME_", "S_");
        addConstants(FileHandles.class, numbers, "MAX_HANDLE_SZ");
        addConstants(ThreadIdentity.class, numbers, "CAP_", "CLONE_");
        addConstants(
                NetlinkLayout.class,
                numbers,
                "AF_",
                "SOCK_",
                "SOL_",
                "NETLINK_",
                "NLM_F_",
                "NLMSG",
                "NLA_",
                "GENL_",
                "CTRL_");
        addNetlinkStructures(numbers);
        addConstants(FolderWatch.class, numbers, "IN_");
        addConstants(Vhost.class, numbers, "VHOST_");
        addVhostStructures(numbers);
        addFolderStructures(numbers);
        addStructures(numbers);
        addIoUringStructures(numbers);
        addVduse(numbers);
        return numbers;
    }

    private static void addConstants(Class<?> owner, Map<String, Long> numbers, String... prefixes)
            throws IllegalAccessException {
        for (Field field : owner.getDeclaredFields()) {
            String name = field.getName();
            boolean wanted = prefixes.length == 0
                    ? name.matches("[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
                            && !NO_C_NAME.contains(name)
                            && !name.matches("MAX_DESCRIPTORS|UCRED_SIZE|TIMEVAL_SIZE")
                    : Stream.of(prefixes).anyMatch(name::startsWith);
            if (wanted
                    && Modifier.isStatic(field.getModifiers())
                    && !Modifier.isPrivate(field.getModifiers())
                    && (field.getType() == int.class
                            || field.getType() == long.class
                            || field.getType() == short.class)) {
                long value = ((Number) field.get(null)).longValue();
                // C has the flags of the sign bit as unsigned numbers or enumerators.
                numbers.put(
                        switch (name) {
                            case "EPOLLET" -> "(int) EPOLLET";
                            case "RLIM_INFINITY" -> "(long) RLIM_INFINITY";
                            default -> name;
                        },
                        value);
            }
        }
    }

    private static void addStructures(Map<String, Long> numbers) {
        numbers.put("SYS_io_uring_setup", IoUringLayout.NR_IO_URING_SETUP);
        numbers.put("SYS_io_uring_enter", IoUringLayout.NR_IO_URING_ENTER);
        numbers.put("SYS_io_uring_register", IoUringLayout.NR_IO_URING_REGISTER);
        numbers.put("S_IFMT", 0xf000L);
        numbers.put("sizeof(struct statx)", Statx.SIZE);
        numbers.put("offsetof(struct statx, stx_blksize)", Statx.BLKSIZE);
        numbers.put("offsetof(struct statx, stx_mode)", Statx.MODE);
        numbers.put("offsetof(struct statx, stx_ino)", Statx.INO);
        numbers.put("offsetof(struct statx, stx_size)", Statx.FILE_SIZE);
        numbers.put("offsetof(struct statx, stx_blocks)", Statx.BLOCKS);
        numbers.put("offsetof(struct statx, stx_rdev_major)", Statx.RDEV_MAJOR);
        numbers.put("offsetof(struct statx, stx_rdev_minor)", Statx.RDEV_MINOR);
        numbers.put("offsetof(struct statx, stx_dev_major)", Statx.DEV_MAJOR);
        numbers.put("offsetof(struct statx, stx_dev_minor)", Statx.DEV_MINOR);
        numbers.put("sizeof(struct flock)", FileIo.FLOCK_SIZE);
        numbers.put("offsetof(struct flock, l_type)", FileIo.FLOCK_TYPE);
        numbers.put("offsetof(struct flock, l_whence)", FileIo.FLOCK_WHENCE);
        numbers.put("offsetof(struct flock, l_start)", FileIo.FLOCK_START);
        numbers.put("offsetof(struct flock, l_len)", FileIo.FLOCK_LEN);
        numbers.put("offsetof(struct flock, l_pid)", FileIo.FLOCK_PID);
        numbers.put("SEEK_SET", 0L);
        numbers.put("sizeof(struct epoll_event)", Epoll.EVENT_BYTES);
        numbers.put("offsetof(struct epoll_event, events)", Epoll.EVENT_EVENTS);
        numbers.put("offsetof(struct epoll_event, data)", Epoll.EVENT_DATA);
        numbers.put("sizeof(struct sockaddr_un)", (long) SocketAddress.SIZE);
        numbers.put("offsetof(struct sockaddr_un, sun_family)", SocketAddress.FAMILY);
        numbers.put("offsetof(struct sockaddr_un, sun_path)", SocketAddress.PATH);
        numbers.put("sizeof(((struct sockaddr_un *) 0)->sun_path) - 1", (long) SocketAddress.MAX_PATH_BYTES);
        numbers.put("sizeof(struct msghdr)", SocketMessage.MSGHDR_SIZE);
        numbers.put("offsetof(struct msghdr, msg_iov)", SocketMessage.MSGHDR_IOV);
        numbers.put("offsetof(struct msghdr, msg_iovlen)", SocketMessage.MSGHDR_IOVLEN);
        numbers.put("offsetof(struct msghdr, msg_control)", SocketMessage.MSGHDR_CONTROL);
        numbers.put("offsetof(struct msghdr, msg_controllen)", SocketMessage.MSGHDR_CONTROLLEN);
        numbers.put("offsetof(struct msghdr, msg_flags)", SocketMessage.MSGHDR_FLAGS);
        numbers.put("sizeof(struct iovec)", SocketMessage.IOVEC_SIZE);
        numbers.put("offsetof(struct iovec, iov_base)", 0L);
        numbers.put("offsetof(struct iovec, iov_len)", SocketMessage.IOVEC_LEN);
        numbers.put("CMSG_LEN(0)", SocketMessage.CMSGHDR_SIZE);
        numbers.put("CMSG_SPACE(1) - CMSG_SPACE(0)", (long) Long.BYTES);
        numbers.put("offsetof(struct cmsghdr, cmsg_len)", SocketMessage.CMSGHDR_LEN);
        numbers.put("offsetof(struct cmsghdr, cmsg_level)", SocketMessage.CMSGHDR_LEVEL);
        numbers.put("offsetof(struct cmsghdr, cmsg_type)", SocketMessage.CMSGHDR_TYPE);
        numbers.put("sizeof(struct ucred)", (long) UnixSocket.UCRED_SIZE);
        numbers.put("offsetof(struct ucred, pid)", 0L);
        numbers.put("offsetof(struct ucred, uid)", 4L);
        numbers.put("offsetof(struct ucred, gid)", 8L);
        numbers.put("sizeof(struct timeval)", (long) UnixSocket.TIMEVAL_SIZE);
        numbers.put("offsetof(struct timeval, tv_usec)", 8L);
        numbers.put("sizeof(struct timespec)", 16L);
        numbers.put("offsetof(struct timespec, tv_nsec)", 8L);
        numbers.put("sizeof(struct ifreq)", (long) Tap.IFREQ_SIZE);
        numbers.put("offsetof(struct ifreq, ifr_flags)", (long) Tap.IFREQ_FLAGS);
        numbers.put("sizeof(struct rlimit)", 16L);
        numbers.put("offsetof(struct rlimit, rlim_cur)", 0L);
        numbers.put("_IO(0xaf, 1)", Ioctl.IO(0xaf, 1));
        numbers.put("_IOR(0xaf, 0, unsigned long long)", Ioctl.IOR(0xaf, 0, 8));
        numbers.put("_IOW(0xaf, 0xff, struct msghdr)", Ioctl.IOW(0xaf, 0xff, 56));
        numbers.put("_IOWR(0x81, 0x12, int)", Ioctl.IOWR(0x81, 0x12, 4));
    }

    private static void addNetlinkStructures(Map<String, Long> numbers) {
        numbers.put("NLA_TYPE_MASK & 0xffff", (long) NetlinkLayout.TYPE_MASK);
        addField(numbers, "nlmsghdr", "nlmsg_len", NetlinkLayout.HEADER_LENGTH);
        addField(numbers, "nlmsghdr", "nlmsg_type", NetlinkLayout.HEADER_TYPE);
        addField(numbers, "nlmsghdr", "nlmsg_flags", NetlinkLayout.HEADER_FLAGS);
        addField(numbers, "nlmsghdr", "nlmsg_seq", NetlinkLayout.HEADER_SEQUENCE);
        addField(numbers, "nlmsghdr", "nlmsg_pid", NetlinkLayout.HEADER_PORT);
        numbers.put("sizeof(struct nlmsgerr)", (long) NetlinkLayout.ERROR_BYTES);
        addField(numbers, "nlmsgerr", "msg", Integer.BYTES);
        addField(numbers, "nlattr", "nla_len", 0);
        addField(numbers, "nlattr", "nla_type", 2);
        addField(numbers, "genlmsghdr", "cmd", 0);
        addField(numbers, "genlmsghdr", "version", 1);
        numbers.put("sizeof(struct sockaddr_nl)", (long) NetlinkLayout.SOCKADDR_BYTES);
        addField(numbers, "sockaddr_nl", "nl_family", 0);
        addField(numbers, "sockaddr_nl", "nl_pid", NetlinkLayout.SOCKADDR_PORT);
        numbers.put("NLMSG_ALIGN(5)", (long) NetlinkLayout.align(5));
        numbers.put("NLA_ALIGN(8)", (long) NetlinkLayout.align(8));
    }

    private static void addVhostStructures(Map<String, Long> numbers) {
        numbers.put("sizeof(struct inotify_event)", (long) FolderWatch.EVENT_SIZE);
        addField(numbers, "inotify_event", "mask", FolderWatch.EVENT_MASK);
        addField(numbers, "inotify_event", "len", FolderWatch.EVENT_LEN);
        addField(numbers, "inotify_event", "name", FolderWatch.EVENT_SIZE);
        numbers.put("sizeof(struct vhost_vring_state)", (long) Vhost.VRING_STATE_SIZE);
        addField(numbers, "vhost_vring_state", "num", Vhost.VRING_STATE_NUM);
        numbers.put("sizeof(struct vhost_vring_file)", (long) Vhost.VRING_FILE_SIZE);
        addField(numbers, "vhost_vring_file", "fd", Vhost.VRING_FILE_FD);
        numbers.put("sizeof(struct vhost_vring_addr)", (long) Vhost.VRING_ADDR_SIZE);
        addField(numbers, "vhost_vring_addr", "desc_user_addr", Vhost.VRING_ADDR_DESC);
        addField(numbers, "vhost_vring_addr", "used_user_addr", Vhost.VRING_ADDR_USED);
        addField(numbers, "vhost_vring_addr", "avail_user_addr", Vhost.VRING_ADDR_AVAIL);
        numbers.put("sizeof(struct vhost_vdpa_config)", (long) Vhost.CONFIG_SIZE);
        addField(numbers, "vhost_vdpa_config", "len", Vhost.CONFIG_LEN);
        addField(numbers, "vhost_vdpa_config", "buf", Vhost.CONFIG_SIZE);
        numbers.put("sizeof(struct vhost_vdpa_iova_range)", (long) Vhost.IOVA_RANGE_SIZE);
        addField(numbers, "vhost_vdpa_iova_range", "last", Vhost.IOVA_RANGE_LAST);
        numbers.put("sizeof(struct vhost_msg_v2)", (long) Vhost.MSG_V2_SIZE);
        addField(numbers, "vhost_msg_v2", "asid", Vhost.MSG_V2_ASID);
        addField(numbers, "vhost_msg_v2", "iotlb.iova", Vhost.MSG_V2_IOVA);
        addField(numbers, "vhost_msg_v2", "iotlb.size", Vhost.MSG_V2_BYTES);
        addField(numbers, "vhost_msg_v2", "iotlb.uaddr", Vhost.MSG_V2_UADDR);
        addField(numbers, "vhost_msg_v2", "iotlb.perm", Vhost.MSG_V2_PERM);
        addField(numbers, "vhost_msg_v2", "iotlb.type", Vhost.MSG_V2_TYPE);
    }

    private static void addFolderStructures(Map<String, Long> numbers) {
        numbers.put("SYS_openat2", FolderIo.SYS_OPENAT2);
        numbers.put("sizeof(struct open_how)", FolderIo.OPEN_HOW_BYTES);
        addField(numbers, "open_how", "mode", 8);
        addField(numbers, "open_how", "resolve", 16);
        numbers.put("SYS_capget", (long) ThreadIdentity.SYS_CAPGET);
        numbers.put("SYS_capset", (long) ThreadIdentity.SYS_CAPSET);
        numbers.put("SYS_sched_setscheduler", (long) CompilerThreads.SYS_SCHED_SETSCHEDULER);
        numbers.put("SYS_sched_getscheduler", (long) CompilerThreads.SYS_SCHED_GETSCHEDULER);
        numbers.put("RLIMIT_NICE", (long) CompilerThreads.RLIMIT_NICE);
        numbers.put("_LINUX_CAPABILITY_VERSION_3", (long) ThreadIdentity.LINUX_CAPABILITY_VERSION_3);
        numbers.put("sizeof(struct statx)", (long) FolderIo.STATX_BYTES);
        numbers.put("STATX_BASIC_STATS", (long) FolderIo.STATX_BASIC_STATS);
        numbers.put("STATX_BTIME", (long) FolderIo.STATX_BTIME);
        numbers.put("STATX_ATTR_MOUNT_ROOT", (long) FolderIo.STATX_ATTR_MOUNT_ROOT);
        addField(numbers, "file_handle", "handle_bytes", FileHandles.OFFSET_HANDLE_BYTES);
        addField(numbers, "file_handle", "handle_type", FileHandles.OFFSET_HANDLE_TYPE);
        addField(numbers, "file_handle", "f_handle", FileHandles.OFFSET_F_HANDLE);
        addFields(numbers, "statx", "STATX_OFFSET_", "stx_");
        numbers.put("sizeof(struct statfs)", (long) FolderIo.STATFS_BYTES);
        addFields(numbers, "statfs", "STATFS_OFFSET_", "f_");
        addFields(numbers, "dirent64", "DIRENT_OFFSET_", "d_");
        numbers.put("makedev(0xfffff, 0xfffff)", FolderIo.device(0xfffff, 0xfffff));
        numbers.put("makedev(8, 300)", FolderIo.device(8, 300));
    }

    private static void addFields(Map<String, Long> numbers, String structure, String prefix, String cPrefix) {
        for (Field field : FolderIo.class.getDeclaredFields()) {
            if (field.getName().startsWith(prefix)) {
                String name =
                        cPrefix + field.getName().substring(prefix.length()).toLowerCase(Locale.ROOT);
                try {
                    addField(numbers, structure, name, field.getInt(null));
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
    }

    private static void addIoUringStructures(Map<String, Long> numbers) {
        numbers.put("sizeof(struct io_uring_params)", IoUringLayout.PARAMS_SIZE);
        addField(numbers, "io_uring_params", "sq_entries", IoUringLayout.PARAMS_SQ_ENTRIES);
        addField(numbers, "io_uring_params", "cq_entries", IoUringLayout.PARAMS_CQ_ENTRIES);
        addField(numbers, "io_uring_params", "flags", IoUringLayout.PARAMS_FLAGS);
        addField(numbers, "io_uring_params", "features", IoUringLayout.PARAMS_FEATURES);
        addField(numbers, "io_uring_params", "sq_off.head", IoUringLayout.SQ_OFF_HEAD);
        addField(numbers, "io_uring_params", "sq_off.tail", IoUringLayout.SQ_OFF_TAIL);
        addField(numbers, "io_uring_params", "sq_off.ring_mask", IoUringLayout.SQ_OFF_RING_MASK);
        addField(numbers, "io_uring_params", "sq_off.flags", IoUringLayout.SQ_OFF_FLAGS);
        addField(numbers, "io_uring_params", "sq_off.array", IoUringLayout.SQ_OFF_ARRAY);
        addField(numbers, "io_uring_params", "cq_off.head", IoUringLayout.CQ_OFF_HEAD);
        addField(numbers, "io_uring_params", "cq_off.tail", IoUringLayout.CQ_OFF_TAIL);
        addField(numbers, "io_uring_params", "cq_off.ring_mask", IoUringLayout.CQ_OFF_RING_MASK);
        addField(numbers, "io_uring_params", "cq_off.cqes", IoUringLayout.CQ_OFF_CQES);
        addField(numbers, "io_uring_params", "cq_off.flags", IoUringLayout.CQ_OFF_FLAGS);
        numbers.put("sizeof(struct io_uring_sqe)", IoUringLayout.SQE_SIZE);
        addField(numbers, "io_uring_sqe", "opcode", 0);
        addField(numbers, "io_uring_sqe", "fd", IoUringLayout.SQE_FD);
        addField(numbers, "io_uring_sqe", "off", IoUringLayout.SQE_OFF);
        addField(numbers, "io_uring_sqe", "addr", IoUringLayout.SQE_ADDR);
        addField(numbers, "io_uring_sqe", "len", IoUringLayout.SQE_LEN);
        addField(numbers, "io_uring_sqe", "rw_flags", IoUringLayout.SQE_OP_FLAGS);
        addField(numbers, "io_uring_sqe", "fsync_flags", IoUringLayout.SQE_OP_FLAGS);
        addField(numbers, "io_uring_sqe", "cancel_flags", IoUringLayout.SQE_OP_FLAGS);
        addField(numbers, "io_uring_sqe", "user_data", IoUringLayout.SQE_USER_DATA);
        addField(numbers, "io_uring_sqe", "buf_index", IoUringLayout.SQE_BUF_INDEX);
        addField(numbers, "io_uring_sqe", "addr3", IoUringLayout.SQE_ADDR3);
        numbers.put("sizeof(struct io_uring_cqe)", IoUringLayout.CQE_SIZE);
        addField(numbers, "io_uring_cqe", "user_data", IoUringLayout.CQE_USER_DATA);
        addField(numbers, "io_uring_cqe", "res", IoUringLayout.CQE_RES);
    }

    private static void addVduse(Map<String, Long> numbers) throws IllegalAccessException {
        addConstants(VduseLayout.class, numbers, "VDUSE_");
        VDUSE_OF_VERSION_1.forEach(numbers::remove);
        addConstants(Vduse.class, numbers, "VDUSE_ACCESS_");
        numbers.put("sizeof(struct vduse_dev_config)", (long) VduseLayout.CONFIG_CONFIG);
        addVduseFields(numbers, "CONFIG_", "vduse_dev_config", "NGROUPS", "NAS");
        addVduseFields(numbers, "IOTLB_", "vduse_iotlb_entry", "GET_FD");
        addVduseFields(numbers, "DATA_", "vduse_config_data");
        addVduseFields(numbers, "VQ_", "vduse_vq_config", "GROUP");
        addVduseFields(numbers, "INFO_", "vduse_vq_info");
        addVduseFields(numbers, "EVENTFD_", "vduse_vq_eventfd");
        numbers.put("sizeof(struct vduse_dev_request)", (long) VduseLayout.REQUEST_BYTES);
        addField(numbers, "vduse_dev_request", "type", VduseLayout.REQUEST_TYPE);
        addField(numbers, "vduse_dev_request", "request_id", VduseLayout.REQUEST_REQUEST_ID);
        addField(numbers, "vduse_dev_request", "vq_state.index", VduseLayout.REQUEST_VQ_STATE_INDEX);
        addField(numbers, "vduse_dev_request", "s.status", VduseLayout.REQUEST_S_STATUS);
        addField(numbers, "vduse_dev_request", "iova.start", VduseLayout.REQUEST_IOVA_START);
        addField(numbers, "vduse_dev_request", "iova.last", VduseLayout.REQUEST_IOVA_LAST);
        numbers.put("sizeof(struct vduse_dev_response)", (long) VduseLayout.RESPONSE_BYTES);
        addField(numbers, "vduse_dev_response", "request_id", VduseLayout.RESPONSE_REQUEST_ID);
        addField(numbers, "vduse_dev_response", "result", VduseLayout.RESPONSE_RESULT);
        addField(numbers, "vduse_dev_response", "vq_state.index", VduseLayout.RESPONSE_VQ_STATE_INDEX);
        addField(numbers, "vduse_dev_response", "vq_state.split", VduseLayout.RESPONSE_VQ_STATE_SPLIT);
        addField(numbers, "vduse_dev_response", "vq_state.packed", VduseLayout.RESPONSE_VQ_STATE_SPLIT);
    }

    private static void addVduseFields(Map<String, Long> numbers, String prefix, String structure, String... later)
            throws IllegalAccessException {
        for (Field field : VduseLayout.class.getDeclaredFields()) {
            String name = field.getName();
            String rest = name.startsWith(prefix) ? name.substring(prefix.length()) : "";
            if (rest.equals("BYTES")) {
                numbers.put("sizeof(struct %s)".formatted(structure), (long) field.getInt(null));
            } else if (!rest.isEmpty() && !List.of(later).contains(rest)) {
                addField(numbers, structure, rest.toLowerCase(Locale.ROOT), field.getInt(null));
            }
        }
    }

    /** What headers from Linux 7.3 on have of VDUSE; {@code C_INCLUDE_PATH} may lead to some. */
    @Test
    void vduseOfVersion1IsThatOfNewerHeaders() throws Exception {
        Map<String, Long> numbers = new LinkedHashMap<>();
        addConstants(VduseLayout.class, numbers, VDUSE_OF_VERSION_1.toArray(String[]::new));
        addConstants(Vduse.class, numbers, "VDUSE_F_");
        numbers.put("VDUSE_API_VERSION_1", Vduse.NEWEST_API_VERSION);
        addField(numbers, "vduse_dev_config", "ngroups", VduseLayout.CONFIG_NGROUPS);
        addField(numbers, "vduse_dev_config", "nas", VduseLayout.CONFIG_NAS);
        addField(numbers, "vduse_vq_config", "group", VduseLayout.VQ_GROUP);
        addField(numbers, "vduse_dev_request", "iova_v2.asid", VduseLayout.REQUEST_IOVA_V2_ASID);
        addField(numbers, "vduse_dev_request", "vq_group_asid.group", VduseLayout.REQUEST_VQ_GROUP_ASID_GROUP);
        addField(numbers, "vduse_dev_request", "vq_group_asid.asid", VduseLayout.REQUEST_VQ_GROUP_ASID_ASID);
        addField(numbers, "vduse_dev_request", "vq_ready.num", VduseLayout.REQUEST_VQ_READY_NUM);
        addField(numbers, "vduse_dev_request", "vq_ready.ready", VduseLayout.REQUEST_VQ_READY_READY);
        StringBuilder body = new StringBuilder("#ifdef VDUSE_F_SUSPEND\n");
        numbers.keySet().forEach(name -> body.append("printf(\"%lld\\n\", (long long) (" + name + "));\n"));
        List<String> actual = runProbe(body + "#endif\n");
        Assumptions.assumeFalse(actual.isEmpty(), "not checked, the headers are older than Linux 7.3");
        assertThat(actual)
                .isEqualTo(numbers.values().stream().map(String::valueOf).toList());
    }

    private static void addField(Map<String, Long> numbers, String structure, String field, long offset) {
        numbers.put("offsetof(struct %s, %s)".formatted(structure, field), offset);
    }

    private List<String> runProbe(String body) throws IOException, InterruptedException {
        Path source =
                Files.writeString(folder.resolve("probe.c"), HEADERS + "int main(void) {\n" + body + "return 0;\n}\n");
        Path program = folder.resolve("probe");
        try {
            List<String> complaints = run("gcc", "-w", "-o", program.toString(), source.toString());
            assertThat(complaints).as("output of gcc").isEmpty();
        } catch (IOException e) {
            Assumptions.abort("layouts not checked, there is no gcc: " + e.getMessage());
        }
        return run(program.toString());
    }

    private List<String> run(String... command) throws IOException, InterruptedException {
        Path output = folder.resolve("output.txt");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        process.waitFor();
        return Files.readAllLines(output);
    }
}
