package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Queues of TAP network interfaces (tun.rst of the kernel). One read or write of a queue is one Ethernet frame behind a
 * virtio-net header of {@link #HEADER_BYTES} bytes; neither waits.
 *
 * <p>Thread-safe.
 */
public final class Tap {
    /** Of the header before each frame, in the order of this processor. */
    public static final int HEADER_BYTES = 12;

    /** What {@link #offloads} takes. */
    public static final int TUN_F_CSUM = 1;

    public static final int TUN_F_TSO4 = 2;
    public static final int TUN_F_TSO6 = 4;
    public static final int TUN_F_TSO_ECN = 8;
    public static final int TUN_F_USO4 = 0x20;
    public static final int TUN_F_USO6 = 0x40;

    static final long TUNSETIFF = Ioctl.IOW('T', 202, Integer.BYTES);
    static final long TUNSETOFFLOAD = Ioctl.IOW('T', 208, Integer.BYTES);
    static final long TUNSETVNETHDRSZ = Ioctl.IOW('T', 216, Integer.BYTES);
    static final long TUNSETQUEUE = Ioctl.IOW('T', 217, Integer.BYTES);

    static final int IFF_TAP = 2;
    static final int IFF_NO_PI = 0x1000;
    static final int IFF_VNET_HDR = 0x4000;
    static final int IFF_MULTI_QUEUE = 0x100;
    static final int IFF_ATTACH_QUEUE = 0x200;
    static final int IFF_DETACH_QUEUE = 0x400;

    /** {@code struct ifreq}: the name, then a union whose first member here is ifr_flags. */
    static final int IFREQ_SIZE = 40;

    static final int IFREQ_FLAGS = 16;

    private static final Path DEVICE = Path.of("/dev/net/tun");

    private Tap() {}

    /**
     * Opens a queue of an interface, which is made where it does not exist and then lives as long as its queues.
     *
     * @param name of the interface, at most 15 characters of ASCII
     * @param several whether the interface has several queues; all of its queues are opened with the same word
     * @throws LinuxException EPERM without CAP_NET_ADMIN over the interface, EBUSY where its only queue is in use, EINVAL
     *     where it is of another kind
     */
    public static Fd open(String name, boolean several) throws LinuxException {
        Fd fd = FileIo.open(DEVICE, FileIo.O_RDWR | FileIo.O_NONBLOCK, 0);
        boolean opened = false;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = arena.allocate(IFREQ_SIZE, Long.BYTES);
            byte[] characters = name.getBytes(StandardCharsets.US_ASCII);
            if (characters.length >= IFREQ_FLAGS) {
                throw new IllegalArgumentException("'%s' is too long for the name of an interface".formatted(name));
            }
            MemorySegment.copy(characters, 0, request, JAVA_BYTE, 0, characters.length);
            request.set(JAVA_SHORT, IFREQ_FLAGS, (short)
                    (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (several ? IFF_MULTI_QUEUE : 0)));
            LinuxException.check(Libc.ioctl(fd.raw(), TUNSETIFF, request.address()), "ioctl(TUNSETIFF)", name);
            request.set(JAVA_INT, 0, HEADER_BYTES);
            LinuxException.check(
                    Libc.ioctl(fd.raw(), TUNSETVNETHDRSZ, request.address()), "ioctl(TUNSETVNETHDRSZ)", name);
            opened = true;
            return fd;
        } finally {
            if (!opened) {
                fd.close();
            }
        }
    }

    /** What the interface need not do for its reader: some of {@code TUN_F_*}; all but CSUM need CSUM. */
    public static void offloads(Fd fd, int offloads) throws LinuxException {
        LinuxException.check(Libc.ioctl(fd.raw(), TUNSETOFFLOAD, offloads), "ioctl(TUNSETOFFLOAD)", fd.subject());
    }

    /** Has the interface use a queue, as it does after {@link #open}, or leave it alone. Only where it has several. */
    public static void attached(Fd fd, boolean attached) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = arena.allocate(IFREQ_SIZE, Long.BYTES);
            request.set(JAVA_SHORT, IFREQ_FLAGS, (short) (attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE));
            LinuxException.check(
                    Libc.ioctl(fd.raw(), TUNSETQUEUE, request.address()), "ioctl(TUNSETQUEUE)", fd.subject());
        }
    }
}
