package io.fairlead.linux;

/**
 * ioctl(2) and the numbers of its requests as {@code asm-generic/ioctl.h} makes them.
 *
 * <p>Thread-safe.
 */
public final class Ioctl {
    private static final long NONE = 0;
    private static final long WRITE = 1;
    private static final long READ = 2;

    private Ioctl() {}

    /**
     * Calls a device. Not called again after a signal: not every request may be repeated.
     *
     * @param argumentAddress the third argument: an address, or a plain number where the request wants one
     * @return the request's value (0 or more), or a negative error number
     */
    public static int call(int fd, long request, long argumentAddress) {
        return Libc.ioctl(fd, request, argumentAddress);
    }

    /** Request without an argument in memory. */
    public static long IO(int type, int number) {
        return request(NONE, type, number, 0);
    }

    /** Request that fills {@code argumentBytes} bytes of the caller's memory. */
    public static long IOR(int type, int number, int argumentBytes) {
        return request(READ, type, number, argumentBytes);
    }

    /** Request that reads {@code argumentBytes} bytes of the caller's memory. */
    public static long IOW(int type, int number, int argumentBytes) {
        return request(WRITE, type, number, argumentBytes);
    }

    /** Request that reads and fills {@code argumentBytes} bytes of the caller's memory. */
    public static long IOWR(int type, int number, int argumentBytes) {
        return request(READ | WRITE, type, number, argumentBytes);
    }

    private static long request(long direction, int type, int number, int argumentBytes) {
        if (type < 0 || type > 0xff || number < 0 || number > 0xff || argumentBytes < 0 || argumentBytes >= 1 << 14) {
            throw new IllegalArgumentException(
                    "no ioctl request: type %d, number %d, %d bytes".formatted(type, number, argumentBytes));
        }
        return direction << 30 | (long) argumentBytes << 16 | (long) type << 8 | number;
    }
}
