package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * What the kernel takes the calling thread for when it works on files. All of it is the thread's own and leaves the
 * process's other threads alone; whoever changes something puts it back before the thread does other work.
 *
 * <p>Allocates nothing.
 */
public final class ThreadIdentity {
    public static final int CAP_DAC_OVERRIDE = 1;
    public static final int CAP_FSETID = 4;

    static final int CLONE_FS = 0x200;
    static final int SYS_CAPGET = "aarch64".equals(System.getProperty("os.arch")) ? 90 : 125;
    static final int SYS_CAPSET = SYS_CAPGET + 1;
    static final int LINUX_CAPABILITY_VERSION_3 = 0x20080522;

    /** The header of 8 bytes, then for capabilities 0 to 31: effective, permitted, inheritable. */
    private static final long EFFECTIVE = 8;

    private static final long PERMITTED = 12;

    private static final MethodHandle SETFSUID0 = Libc.handle("setfsuid", JAVA_INT, JAVA_INT);
    private static final MethodHandle SETFSGID0 = Libc.handle("setfsgid", JAVA_INT, JAVA_INT);
    private static final MethodHandle UNSHARE = Libc.handle("unshare", JAVA_INT, JAVA_INT);
    private static final MethodHandle UMASK0 = Libc.handle("umask", JAVA_INT, JAVA_INT);
    private static final MethodHandle GETEUID = Libc.handle("geteuid", JAVA_INT);

    private ThreadIdentity() {}

    /** Whether the process is root, so that it may make files for any user. */
    public static boolean isRoot() {
        return geteuid() == 0;
    }

    /**
     * Gives the thread a umask and a working folder of its own, for good.
     *
     * @return 0 or a negative error number
     */
    public static int ownUmask() {
        return unshare(CLONE_FS);
    }

    /** Sets the umask: the thread's alone after {@link #ownUmask}, else the process's. */
    public static void umask(int mask) {
        int _ = umask0(mask);
    }

    /** Makes files as this user; for another than root, capabilities over files go. */
    public static void fileUser(int uid) {
        int _ = setfsuid0(uid);
    }

    /** Makes files as this group. */
    public static void fileGroup(int gid) {
        int _ = setfsgid0(gid);
    }

    /**
     * Switches a capability that the process may have on or off for the thread.
     *
     * @param capability one of {@code CAP_*}
     * @return 0 or a negative error number; EPERM where the process does not have it
     */
    public static int capability(int capability, boolean on) {
        MemorySegment data = Libc.scratch().asSlice(0, 32).fill((byte) 0);
        data.set(JAVA_INT, 0, LINUX_CAPABILITY_VERSION_3);
        int result = (int) Libc.syscall(SYS_CAPGET, data.address(), data.address() + EFFECTIVE, 0, 0, 0, 0);
        if (result < 0) {
            return result;
        }
        int effective = data.get(JAVA_INT, EFFECTIVE);
        int wanted = on ? effective | 1 << capability : effective & ~(1 << capability);
        if (wanted == effective) {
            return 0;
        }
        if ((wanted & ~data.get(JAVA_INT, PERMITTED)) != 0) {
            return -Errno.EPERM;
        }
        data.set(JAVA_INT, EFFECTIVE, wanted);
        return (int) Libc.syscall(SYS_CAPSET, data.address(), data.address() + EFFECTIVE, 0, 0, 0, 0);
    }

    /** Whether the thread has a capability now. */
    static boolean has(int capability) {
        MemorySegment data = Libc.scratch().asSlice(0, 32).fill((byte) 0);
        data.set(JAVA_INT, 0, LINUX_CAPABILITY_VERSION_3);
        int result = (int) Libc.syscall(SYS_CAPGET, data.address(), data.address() + EFFECTIVE, 0, 0, 0, 0);
        return result >= 0 && (data.get(JAVA_INT, EFFECTIVE) & 1 << capability) != 0;
    }

    private static int setfsuid0(int uid) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SETFSUID0.invokeExact(errno, uid), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    private static int setfsgid0(int gid) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) SETFSGID0.invokeExact(errno, gid), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    private static int unshare(int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) UNSHARE.invokeExact(errno, flags), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    private static int umask0(int mask) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) UMASK0.invokeExact(errno, mask), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    private static int geteuid() {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result((int) GETEUID.invokeExact(errno), errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
