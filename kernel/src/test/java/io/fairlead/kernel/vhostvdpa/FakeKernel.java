package io.fairlead.kernel.vhostvdpa;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Vhost;
import io.fairlead.virtio.DeviceStatus;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** The rules of drivers/vhost/vdpa.c as they matter to whoever speaks to it; no rings are served. */
final class FakeKernel implements VhostCalls {
    static final long BACKEND_ALL = 0x17e;

    /** Neither suspend nor resume, as with vp_vdpa. */
    static final long BACKEND_PCI = 0x10e;

    int deviceId = 2;
    long features = Feature.VERSION_1 | Feature.ACCESS_PLATFORM | Feature.RING_RESET | Feature.INDIRECT_DESC | 1L << 6;
    long backendFeatures = BACKEND_ALL;
    int queueCount = 2;
    int configSize = 4096;
    boolean tellsStates = true;
    boolean refusesFeatures;
    boolean gone;
    long firstAddress;
    long lastAddress = -1;

    /** Fails the n-th UPDATE from now, 1 for the next; 0 for none. */
    int failingUpdate;

    /** How often it is refused then. */
    int refusals = 1;

    private int failures;

    /** The group of each queue; empty where the device has no groups. */
    List<Integer> groups = List.of();

    int addressSpaces = 1;
    final Map<Integer, Integer> groupAddressSpaces = new TreeMap<>();

    /** The first bytes of the configuration space; the others count up. */
    byte[] config = {};

    /** Which queue is a control queue, and what it answers; -1 for none. */
    int controlQueue = -1;

    FakeControlQueue.Answer controlAnswer = command -> 0;
    private FakeControlQueue control;

    /** Commands of the control queue, in hexadecimal. */
    final List<String> commands = new CopyOnWriteArrayList<>();

    /** One page or more for a device. */
    private record Mapped(long byteCount, long user, int access) {}

    private final Map<Integer, ConcurrentSkipListMap<Long, Mapped>> spaces = new ConcurrentHashMap<>();

    int deviceBufferBytes = -1;

    /** The device's own state in openEuler's kernels. */
    byte[] deviceBuffer = {};

    /** What it says instead, where it lies. */
    Integer toldBufferBytes;

    boolean takesMigrationStates = true;
    boolean refusesBuffer;
    String make = "";

    int status;
    private boolean lostMemory;
    boolean suspended;
    long driverFeatures;
    final int[] bases = new int[16];
    final boolean[] enabled = new boolean[16];
    final int[] sizes = new int[16];
    final Map<Integer, long[]> addresses = new HashMap<>();
    final List<String> log = new ArrayList<>();
    final TreeMap<Long, Long> mapped = new TreeMap<>();
    boolean inBatch;
    int batches;
    int updates;
    int resets;
    boolean closed;

    long logAddress;
    long logBytes;

    /** Pages that the device has written and not told. */
    final List<Long> dirtyPages = new ArrayList<>();

    @Override
    public int ioctl(long request, MemorySegment argument) {
        if (closed) {
            return -Errno.EBADF;
        }
        if (gone) {
            return -Errno.ENODEV;
        }
        return request(request, argument);
    }

    private int request(long request, MemorySegment at) {
        if (request == Vhost.VHOST_SET_OWNER || request == Vhost.VHOST_VDPA_SET_CONFIG_CALL) {
            return 0;
        } else if (request == Vhost.VHOST_VDPA_GET_DEVICE_ID) {
            at.set(JAVA_INT, 0, deviceId);
        } else if (request == Vhost.VHOST_GET_FEATURES) {
            at.set(JAVA_LONG, 0, features);
        } else if (request == Vhost.VHOST_SET_FEATURES) {
            return setFeatures(at.get(JAVA_LONG, 0));
        } else if (request == Vhost.VHOST_GET_BACKEND_FEATURES) {
            at.set(JAVA_LONG, 0, backendFeatures);
        } else if (request == Vhost.VHOST_SET_BACKEND_FEATURES) {
            return (at.get(JAVA_LONG, 0) & ~backendFeatures) == 0 ? 0 : -Errno.EOPNOTSUPP;
        } else if (request == Vhost.VHOST_VDPA_GET_STATUS) {
            at.set(JAVA_BYTE, 0, (byte) status);
        } else if (request == Vhost.VHOST_VDPA_SET_STATUS) {
            return setStatus(Byte.toUnsignedInt(at.get(JAVA_BYTE, 0)));
        } else if (request == Vhost.VHOST_VDPA_GET_CONFIG_SIZE) {
            at.set(JAVA_INT, 0, configSize);
        } else if (request == Vhost.VHOST_VDPA_GET_CONFIG) {
            for (int i = 8; i < 8 + at.get(JAVA_INT, 4); i++) {
                int offset = at.get(JAVA_INT, 0) + i - 8;
                at.set(JAVA_BYTE, i, offset < config.length ? config[offset] : (byte) offset);
            }
        } else if (request == Vhost.VHOST_VDPA_GET_VRING_NUM) {
            at.set(JAVA_SHORT, 0, (short) 256);
        } else if (request == Vhost.VHOST_VDPA_GET_VQS_COUNT) {
            at.set(JAVA_INT, 0, queueCount);
        } else if (request == Vhost.VHOST_VDPA_GET_GROUP_NUM && !groups.isEmpty()) {
            at.set(
                    JAVA_INT,
                    0,
                    1 + groups.stream().mapToInt(group -> group).max().orElse(0));
        } else if (request == Vhost.VHOST_VDPA_GET_AS_NUM && !groups.isEmpty()) {
            at.set(JAVA_INT, 0, addressSpaces);
        } else if (request == Vhost.VHOST_VDPA_SET_GROUP_ASID && !groups.isEmpty()) {
            if (DeviceStatus.has(status, DeviceStatus.DRIVER_OK)) {
                return -Errno.EBUSY;
            }
            groupAddressSpaces.put(at.get(JAVA_INT, 0), at.get(JAVA_INT, 4));
        } else if (request == Vhost.VHOST_VDPA_GET_IOVA_RANGE) {
            at.set(JAVA_LONG, 0, firstAddress);
            at.set(JAVA_LONG, 8, lastAddress);
        } else if (request == Vhost.VHOST_VDPA_SUSPEND) {
            // As the kernel has it: success without effect where the device is not live.
            suspended = DeviceStatus.has(status, DeviceStatus.DRIVER_OK);
            log.add("suspend");
        } else if (request == Vhost.VHOST_VDPA_RESUME) {
            suspended = false;
            log.add("resume");
        } else if (request == Vhost.EULER_GET_DEV_BUFFER_SIZE && deviceBufferBytes >= 0) {
            at.set(JAVA_INT, 0, toldBufferBytes != null ? toldBufferBytes : deviceBufferBytes);
        } else if (deviceBufferBytes >= 0 && request == Vhost.VHOST_SET_LOG_BASE) {
            logAddress = at.get(JAVA_LONG, 0);
        } else if (deviceBufferBytes >= 0 && request == Vhost.EULER_SET_LOG_SIZE) {
            logBytes = at.get(JAVA_LONG, 0);
        } else if (deviceBufferBytes >= 0 && request == Vhost.EULER_LOG_SYNC) {
            syncLog();
        } else if (deviceBufferBytes >= 0 && request == Vhost.EULER_SET_MIG_STATE && takesMigrationStates) {
            log.add("migration " + at.get(JAVA_BYTE, 0));
        } else if (deviceBufferBytes >= 0
                && (request == Vhost.EULER_GET_DEV_BUFFER || request == Vhost.EULER_SET_DEV_BUFFER)) {
            return deviceBuffer(request == Vhost.EULER_SET_DEV_BUFFER, at);
        } else {
            return ringRequest(request, at);
        }
        return 0;
    }

    /** Of a device that stands still, or that does not run yet. */
    private int deviceBuffer(boolean set, MemorySegment at) {
        int offset = at.get(JAVA_INT, 0);
        int length = at.get(JAVA_INT, 4);
        if (DeviceStatus.has(status, DeviceStatus.DRIVER_OK) && !suspended) {
            return -Errno.EBUSY;
        }
        if (offset < 0 || length < 0 || offset + length > deviceBufferBytes || refusesBuffer) {
            return -Errno.EINVAL;
        }
        byte[] whole = Arrays.copyOf(deviceBuffer, deviceBufferBytes);
        if (set) {
            MemorySegment.copy(at, JAVA_BYTE, 8, whole, offset, length);
            deviceBuffer = whole;
            log.add("buffer of " + length);
        } else {
            MemorySegment.copy(whole, offset, at, JAVA_BYTE, 8, length);
        }
        return 0;
    }

    private int ringRequest(long request, MemorySegment at) {
        if (at.address() == 0) {
            return -Errno.EFAULT;
        }
        int queue = at.get(JAVA_INT, 0);
        int number = at.get(JAVA_INT, 4);
        boolean live = DeviceStatus.has(status, DeviceStatus.DRIVER_OK);
        if (queue < 0 || queue >= queueCount) {
            return -Errno.ENOBUFS;
        }
        if (request == Vhost.VHOST_SET_VRING_NUM) {
            sizes[queue] = number;
        } else if (request == Vhost.VHOST_SET_VRING_ADDR) {
            if (live && !suspended) {
                return -Errno.EINVAL;
            }
            addresses.put(queue, new long[] {
                at.get(JAVA_LONG, Vhost.VRING_ADDR_DESC),
                at.get(JAVA_LONG, Vhost.VRING_ADDR_AVAIL),
                at.get(JAVA_LONG, Vhost.VRING_ADDR_USED)
            });
        } else if (request == Vhost.VHOST_SET_VRING_BASE) {
            if (!tellsStates) {
                return -Errno.EOPNOTSUPP;
            }
            if (live && !suspended) {
                return -Errno.EINVAL;
            }
            bases[queue] = number;
        } else if (request == Vhost.VHOST_GET_VRING_BASE) {
            if (!tellsStates) {
                return -Errno.EOPNOTSUPP;
            }
            at.set(JAVA_INT, 4, bases[queue]);
        } else if (request == Vhost.VHOST_VDPA_SET_VRING_ENABLE) {
            enabled[queue] = number == 1;
        } else if (request == Vhost.VHOST_VDPA_GET_VRING_GROUP && !groups.isEmpty()) {
            at.set(JAVA_INT, 4, groups.get(queue));
        } else if (request == Vhost.VHOST_SET_VRING_KICK) {
            if (queue == controlQueue) {
                serveControl(live);
            } else {
                log.add("kick %d %s".formatted(queue, live ? "live" : "early"));
            }
        } else if (request != Vhost.VHOST_SET_VRING_CALL && request != Vhost.VHOST_SET_VRING_ERR) {
            return -Errno.ENOTTY;
        }
        return 0;
    }

    private void serveControl(boolean live) {
        if (!live || !enabled[controlQueue] || (driverFeatures & NetConfig.F_CTRL_VQ) == 0) {
            throw new AssertionError("the control queue is not set up");
        }
        int space = groups.isEmpty() ? 0 : groupAddressSpaces.getOrDefault(groups.get(controlQueue), 0);
        endControl();
        control = new FakeControlQueue(
                sizes[controlQueue],
                addresses.get(controlQueue),
                command -> {
                    commands.add(HexFormat.of().formatHex(command));
                    return controlAnswer.to(command);
                },
                address -> translate(space, address, Vhost.VHOST_ACCESS_RO),
                address -> translate(space, address, Vhost.VHOST_ACCESS_RW));
    }

    private void endControl() {
        if (control != null) {
            control.close();
            control = null;
        }
    }

    private long translate(int space, long address, int access) {
        Map.Entry<Long, Mapped> found =
                spaces.getOrDefault(space, new ConcurrentSkipListMap<>()).floorEntry(address);
        if (found == null || address >= found.getKey() + found.getValue().byteCount()) {
            throw new AssertionError("the device sees nothing at 0x%x of space %d".formatted(address, space));
        }
        if ((access & ~found.getValue().access()) != 0) {
            throw new AssertionError("the device may not write at 0x%x".formatted(address));
        }
        return found.getValue().user() + address - found.getKey();
    }

    /** What the device may do at an address of an address space; 0 for nothing. */
    int access(int space, long address) {
        Map.Entry<Long, Mapped> found =
                spaces.getOrDefault(space, new ConcurrentSkipListMap<>()).floorEntry(address);
        return found == null || address >= found.getKey() + found.getValue().byteCount()
                ? 0
                : found.getValue().access();
    }

    private int setFeatures(long wanted) {
        boolean agreed = DeviceStatus.has(status, DeviceStatus.FEATURES_OK);
        boolean onlyLog = (wanted ^ driverFeatures) == Feature.VHOST_LOG_ALL && deviceBufferBytes >= 0;
        if (agreed && !onlyLog) {
            return -Errno.EBUSY;
        }
        if ((wanted & Feature.ACCESS_PLATFORM) == 0 && (features & Feature.ACCESS_PLATFORM) != 0) {
            return -Errno.EINVAL;
        }
        driverFeatures = wanted;
        return 0;
    }

    private int setStatus(int wanted) {
        if (wanted != 0 && (status & ~wanted) != 0) {
            return -Errno.EINVAL;
        }
        boolean ran = DeviceStatus.has(status, DeviceStatus.DRIVER_OK) && !suspended;
        status = wanted;
        log.add(DeviceStatus.describe(wanted));
        if (lostMemory && DeviceStatus.has(wanted, DeviceStatus.DRIVER_OK)) {
            throw new AssertionError("started with memory that a reset took from it");
        }
        if (wanted == 0) {
            endControl();
            if (ran && updates > 0 && mapped.isEmpty()) {
                throw new AssertionError("its memory was taken away while it ran");
            }
            resets++;
            suspended = false;
            addresses.clear();
            Arrays.fill(enabled, false);
            Arrays.fill(bases, 0);
            // The kernel goes on believing that it is mapped.
            deviceBuffer = new byte[0];
            lostMemory = (backendFeatures & 1L << Vhost.VHOST_BACKEND_F_IOTLB_PERSIST) == 0 && !mapped.isEmpty();
        } else if (refusesFeatures) {
            status &= ~DeviceStatus.FEATURES_OK;
        }
        return 0;
    }

    /** Writes where it was told to, as a kernel does. */
    private void syncLog() {
        boolean bytes = (backendFeatures & 1L << Vhost.EULER_BACKEND_F_BYTEMAP_LOG) != 0;
        byte[] image = new byte[(int) logBytes];
        for (long page : dirtyPages) {
            image[(int) (bytes ? page : page / 8)] |= (byte) (bytes ? 1 : 1 << page % 8);
        }
        dirtyPages.clear();
        try {
            Path file = Files.write(Files.createTempFile("log", ""), image);
            try (Fd fd = FileIo.open(file, FileIo.O_RDONLY, 0)) {
                if (FileIo.pread(fd.raw(), logAddress, logBytes, 0) != logBytes) {
                    throw new AssertionError("the log cannot be written");
                }
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public long write(MemorySegment message) {
        if (closed) {
            return -Errno.EBADF;
        }
        if (gone) {
            return -Errno.ENODEV;
        }
        if (message.byteSize() != Vhost.MSG_V2_SIZE || message.get(JAVA_INT, 0) != Vhost.VHOST_IOTLB_MSG_V2) {
            return -Errno.EINVAL;
        }
        long iova = message.get(JAVA_LONG, Vhost.MSG_V2_IOVA);
        long byteCount = message.get(JAVA_LONG, Vhost.MSG_V2_BYTES);
        switch (message.get(JAVA_BYTE, Vhost.MSG_V2_TYPE)) {
            case Vhost.VHOST_IOTLB_BATCH_BEGIN -> {
                inBatch = true;
                batches++;
            }
            case Vhost.VHOST_IOTLB_BATCH_END -> inBatch = false;
            case Vhost.VHOST_IOTLB_INVALIDATE -> {
                space(message).subMap(iova, iova + byteCount).clear();
                if (message.get(JAVA_INT, Vhost.MSG_V2_ASID) == 0) {
                    mapped.subMap(iova, iova + byteCount).clear();
                }
                lostMemory = lostMemory && !mapped.isEmpty();
            }
            case Vhost.VHOST_IOTLB_UPDATE -> {
                boolean ofGuest = message.get(JAVA_INT, Vhost.MSG_V2_ASID) == 0;
                if (!inBatch || byteCount == 0 || (ofGuest && overlaps(iova, byteCount))) {
                    return -Errno.EFAULT;
                }
                if (failingUpdate > 0 && --failingUpdate == 0) {
                    failures = refusals;
                }
                if (failures > 0) {
                    failures--;
                    return -Errno.EFAULT;
                }
                int access = message.get(JAVA_BYTE, Vhost.MSG_V2_PERM);
                long user = message.get(JAVA_LONG, Vhost.MSG_V2_UADDR);
                if ((access != Vhost.VHOST_ACCESS_RW && access != Vhost.VHOST_ACCESS_RO) || user == 0) {
                    return -Errno.EFAULT;
                }
                updates++;
                space(message).put(iova, new Mapped(byteCount, user, access));
                if (ofGuest) {
                    mapped.put(iova, byteCount);
                }
            }
            default -> {
                return -Errno.EFAULT;
            }
        }
        return Vhost.MSG_V2_SIZE;
    }

    private ConcurrentSkipListMap<Long, Mapped> space(MemorySegment message) {
        return spaces.computeIfAbsent(message.get(JAVA_INT, Vhost.MSG_V2_ASID), _ -> new ConcurrentSkipListMap<>());
    }

    private boolean overlaps(long iova, long byteCount) {
        Map.Entry<Long, Long> before = mapped.lowerEntry(iova + byteCount);
        return before != null && before.getKey() + before.getValue() > iova;
    }

    @Override
    public String make() {
        return make;
    }

    @Override
    public void close() {
        endControl();
        closed = true;
    }
}
