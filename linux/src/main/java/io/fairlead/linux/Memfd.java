package io.fairlead.linux;

import java.lang.foreign.Arena;

/** Files that live in memory only and are shared by passing their descriptor. */
public final class Memfd {
    /** Seals of {@link #addSeals}: no more seals, no shrinking, no growing, no writing, no new writable mapping. */
    public static final int F_SEAL_SEAL = 1;

    public static final int F_SEAL_SHRINK = 2;
    public static final int F_SEAL_GROW = 4;
    public static final int F_SEAL_WRITE = 8;
    public static final int F_SEAL_FUTURE_WRITE = 0x10;

    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;
    static final int F_ADD_SEALS = 1033;
    static final int F_GET_SEALS = 1034;

    private Memfd() {}

    /**
     * A new file of zeros that allows seals.
     *
     * @param name shown in /proc, at most 249 bytes
     */
    public static Fd create(String name, long byteCount) throws LinuxException {
        Fd fd;
        try (Arena arena = Arena.ofConfined()) {
            int raw = Libc.memfdCreate(arena.allocateFrom(name).address(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
            fd = Fd.adopt(LinuxException.check(raw, "memfd_create", name), name);
        }
        int result = FileIo.ftruncate(fd.raw(), byteCount);
        if (result < 0) {
            fd.close();
            throw new LinuxException("ftruncate", name, -result);
        }
        return fd;
    }

    /**
     * Forbids some changes for good. {@link #F_SEAL_WRITE} fails with EBUSY while a writable shared mapping exists.
     *
     * @param seals some of {@code F_SEAL_*}
     */
    public static void addSeals(Fd fd, int seals) throws LinuxException {
        LinuxException.check(Libc.fcntl(fd.raw(), F_ADD_SEALS, seals), "fcntl(F_ADD_SEALS)", fd.subject());
    }

    /** The seals in force; EINVAL where the file knows none. */
    public static int seals(Fd fd) throws LinuxException {
        return LinuxException.check(Libc.fcntl(fd.raw(), F_GET_SEALS, 0), "fcntl(F_GET_SEALS)", fd.subject());
    }
}
