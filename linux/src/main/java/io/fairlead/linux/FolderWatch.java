package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells which names appear in a folder and which go, by inotify(7): the descriptor is readable when there is news. Works
 * for /dev too, where the kernel itself makes and removes the names.
 *
 * <p>One thread reads; closed by any.
 */
public final class FolderWatch implements AutoCloseable {
    /**
     * What happened to a name.
     *
     * @param name within the folder; empty where events were lost, and anything may have happened
     * @param there whether it appeared or changed its owner or permissions; else it is gone
     */
    public record Event(String name, boolean there) {}

    static final int IN_CLOEXEC = 0x80000;
    static final int IN_NONBLOCK = 0x800;
    static final int IN_ATTRIB = 0x4;
    static final int IN_MOVED_FROM = 0x40;
    static final int IN_MOVED_TO = 0x80;
    static final int IN_CREATE = 0x100;
    static final int IN_DELETE = 0x200;
    static final int IN_Q_OVERFLOW = 0x4000;
    static final int IN_ONLYDIR = 0x1000000;

    /** {@code struct inotify_event}: wd, mask, cookie, len, then the name with zeros behind it. */
    static final int EVENT_SIZE = 16;

    static final int EVENT_MASK = 4;
    static final int EVENT_LEN = 12;

    private static final int BUFFER_BYTES = 4096;

    private final Fd fd;
    private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_BYTES, Long.BYTES);

    private FolderWatch(Fd fd) {
        this.fd = fd;
    }

    public static FolderWatch open(Path folder) throws LinuxException {
        Fd fd = Fd.adopt(
                LinuxException.check(Libc.inotifyInit1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1", folder.toString()),
                "watch of " + folder);
        try (Arena arena = Arena.ofConfined()) {
            int mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR;
            LinuxException.check(
                    Libc.inotifyAddWatch(
                            fd.raw(), arena.allocateFrom(folder.toString()).address(), mask),
                    "inotify_add_watch",
                    folder.toString());
            return new FolderWatch(fd);
        } catch (LinuxException e) {
            fd.close();
            throw e;
        }
    }

    /** The descriptor, still owned by this object. */
    public int raw() {
        return fd.raw();
    }

    /** What happened since the last call; empty where nothing did. Does not wait. */
    public List<Event> read() throws LinuxException {
        List<Event> events = new ArrayList<>();
        int raw = fd.beginUse();
        try {
            long count = Libc.read(raw, buffer.address(), BUFFER_BYTES);
            if (count < 0 && count != -Errno.EAGAIN && count != -Errno.EINTR) {
                throw new LinuxException("read", fd.subject(), (int) -count);
            }
            for (long offset = 0; offset + EVENT_SIZE <= count; ) {
                int mask = buffer.get(JAVA_INT_UNALIGNED, offset + EVENT_MASK);
                int length = buffer.get(JAVA_INT_UNALIGNED, offset + EVENT_LEN);
                events.add(new Event(
                        (mask & IN_Q_OVERFLOW) != 0 ? "" : name(offset + EVENT_SIZE, length),
                        (mask & (IN_DELETE | IN_MOVED_FROM)) == 0));
                offset += EVENT_SIZE + length;
            }
        } finally {
            fd.endUse();
            Reference.reachabilityFence(buffer);
        }
        return events;
    }

    private String name(long offset, int length) {
        byte[] bytes = buffer.asSlice(offset, length).toArray(JAVA_BYTE);
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        fd.close();
    }
}
