package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * File handles: what a file system knows a file by, whatever its names are and whether anybody has it open (man
 * name_to_handle_at). The methods return 0, a descriptor or a negative error number, allocate nothing and throw nothing.
 *
 * <p>A buffer holds {@code struct file_handle}, at most {@link #MAX_BYTES}, aligned as an int. Thread-safe.
 */
public final class FileHandles {
    /** Where the fields of {@code struct file_handle} are. */
    public static final int OFFSET_HANDLE_BYTES = 0;

    public static final int OFFSET_HANDLE_TYPE = 4;
    public static final int OFFSET_F_HANDLE = 8;

    static final int MAX_HANDLE_SZ = 128;

    /** The largest structure with its handle. */
    public static final int MAX_BYTES = OFFSET_F_HANDLE + MAX_HANDLE_SZ;

    private static final MethodHandle NAME_TO_HANDLE_AT =
            Libc.handle("name_to_handle_at", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT);
    private static final MethodHandle OPEN_BY_HANDLE_AT =
            Libc.handle("open_by_handle_at", JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT);

    private FileHandles() {}

    /**
     * Writes the handle of a file.
     *
     * @param name host address of the file's name in the folder, not followed where it is a link; an empty one for the
     *     descriptor's own file
     * @return 0; -EOPNOTSUPP where the file system has no handles
     */
    public static int nameToHandle(int folderFd, long name, MemorySegment buffer) {
        buffer.set(JAVA_INT, OFFSET_HANDLE_BYTES, MAX_HANDLE_SZ);
        MemorySegment mountId = Libc.scratch();
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result(
                    (int) NAME_TO_HANDLE_AT.invokeExact(
                            errno, folderFd, name, buffer.address(), mountId.address(), FolderIo.AT_EMPTY_PATH),
                    errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }

    /**
     * Opens the file of a handle, close-on-exec. Needs CAP_DAC_READ_SEARCH.
     *
     * @param mountFd any open file of the file system, not O_PATH
     * @return a descriptor, the caller's; -ESTALE where the file is no more
     */
    public static int open(int mountFd, MemorySegment buffer, int flags) {
        MemorySegment errno = Libc.errno();
        try {
            return Libc.result(
                    (int) OPEN_BY_HANDLE_AT.invokeExact(errno, mountFd, buffer.address(), flags | FileIo.O_CLOEXEC),
                    errno);
        } catch (Throwable e) {
            throw Libc.unexpected(e);
        }
    }
}
