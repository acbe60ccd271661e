package io.fairlead.linux;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Puts a listening socket at a path and takes it away again.
 *
 * <p>The socket is bound under another name beside the path, is given its permissions, listens, and only then takes the
 * path's name: nobody ever meets it with wider permissions or refusing connections. A socket file that nobody listens
 * on is exchanged, never removed first. Users of this class take turns by a lock on the folder; against others, who
 * might put a socket there between the check and the exchange, what came out is looked at and put back if it lives.
 */
public final class SocketFile {
    static final int RENAME_NOREPLACE = 1;
    static final int RENAME_EXCHANGE = 2;
    static final int SOCK_STREAM = 1;
    static final int SOCK_DGRAM = 2;
    static final int SOCK_CLOEXEC = 0x80000;
    static final int SOCK_NONBLOCK = 0x800;

    static final int LOCK_EX = 2;
    static final int LOCK_NB = 4;

    private static final int MAX_WAIT_MILLIS = 1000;
    private static final int POLL_MILLIS = 5;
    private static final int BACKLOG = 128;
    private static final int ATTEMPTS = 100;
    private static final int MAX_TEMPORARY_NAME_BYTES = 16;
    private static final String NAME_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

    private final Path path;
    private final FileStatus status;

    private SocketFile(Path path, FileStatus status) {
        this.path = path;
        this.status = status;
    }

    /**
     * Binds and listens.
     *
     * @param socket not bound yet
     * @param mode permissions, exactly these whatever the umask is
     * @throws IOException where the path is taken by a live socket or by something else, or is too long
     */
    static SocketFile listen(Fd socket, Path path, int mode) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            // Checks the length.
            SocketAddress.of(path, arena);
        }
        try (Fd folder = openFolder(path)) {
            awaitTurn(folder);
            return listenAlone(socket, path, mode);
        }
    }

    /**
     * Gives the path's name to a socket that listens already, bound at another path of the same file system.
     *
     * @param bound where it was bound, with its permissions; gone afterwards, unless this fails
     * @throws IOException where the path is taken by a live socket or by something else, or is too long
     */
    public static SocketFile move(Path bound, Path path) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            SocketAddress.of(path, arena);
        }
        try (Fd folder = openFolder(path)) {
            awaitTurn(folder);
            FileStatus own = FileIo.status(bound);
            moveIntoPlace(bound, own, path);
            return new SocketFile(path, own);
        }
    }

    /** The folder of a socket, locked by {@link #awaitTurn} until it is closed. */
    private static Fd openFolder(Path path) throws LinuxException {
        Path parent = path.toAbsolutePath().getParent();
        return FileIo.open(parent == null ? Path.of("/") : parent, FileIo.O_RDONLY | FileIo.O_DIRECTORY, 0);
    }

    /** Waits a second at most: a program that holds such a lock for long has another purpose, and is not waited for. */
    private static void awaitTurn(Fd folder) throws IOException {
        for (int waitedMillis = 0; waitedMillis < MAX_WAIT_MILLIS; waitedMillis += POLL_MILLIS) {
            int result = SocketCalls.flock(folder.raw(), LOCK_EX | LOCK_NB);
            if (result != -Errno.EAGAIN && result != -Errno.EINTR) {
                return;
            }
            try {
                Thread.sleep(POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while waiting for the lock of " + folder.subject());
            }
        }
    }

    private static SocketFile listenAlone(Fd socket, Path path, int mode) throws IOException {
        refuseUnlessFree(path);
        // A socket's own permissions, less the umask, are those that bind gives to its file.
        LinuxException.check(SocketCalls.fchmod(socket.raw(), mode), "fchmod", path.toString());
        Path temporary = bindBeside(socket, path);
        boolean moved = false;
        try {
            if (FileIo.status(temporary).permissions() != mode) {
                LinuxException.check(chmod(temporary, mode), "chmod", path.toString());
            }
            LinuxException.check(SocketCalls.listen(socket.raw(), BACKLOG), "listen", path.toString());
            FileStatus own = FileIo.status(temporary);
            moveIntoPlace(temporary, own, path);
            moved = true;
            return new SocketFile(path, own);
        } finally {
            if (!moved) {
                unlink(temporary);
            }
        }
    }

    /** Removes the file if it is still the one that was put there; call this while the socket still listens. */
    public void remove() {
        try {
            FileStatus now = statusOrNull(path);
            if (now != null && now.isSocket() && now.isSameFile(status)) {
                unlink(path);
            }
        } catch (LinuxException e) {
            // The folder is out of reach: the file stays, stale.
        }
    }

    private static void moveIntoPlace(Path temporary, FileStatus own, Path path) throws IOException {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            FileStatus stale = refuseUnlessFree(path);
            int result = stale == null
                    ? rename(temporary, path, RENAME_NOREPLACE)
                    : rename(temporary, path, RENAME_EXCHANGE);
            if (result == -Errno.EINVAL) {
                // A file system without these two: the check above is all the protection that there is.
                result = rename(temporary, path, 0);
                LinuxException.check(result, "rename", path.toString());
                return;
            }
            if (result == -Errno.EEXIST || result == -Errno.ENOENT) {
                continue;
            }
            LinuxException.check(result, "renameat2", path.toString());
            if (stale == null) {
                return;
            }
            FileStatus replaced = FileIo.status(temporary);
            if (replaced.isSameFile(stale)) {
                unlink(temporary);
                return;
            }
            LinuxException.check(rename(temporary, path, RENAME_EXCHANGE), "renameat2", path.toString());
            if (!FileIo.status(temporary).isSameFile(own)) {
                throw taken(path, "changes while a socket is being put there");
            }
        }
        throw taken(path, "keeps changing");
    }

    /**
     * @return the stale socket at the path, null where there is nothing
     * @throws IOException where something else is there
     */
    private static @Nullable FileStatus refuseUnlessFree(Path path) throws IOException {
        FileStatus status = statusOrNull(path);
        if (status == null) {
            return null;
        }
        if (!status.isSocket()) {
            throw taken(path, "exists and is no socket");
        }
        int result = probe(path);
        if (result == -Errno.ENOENT) {
            return null;
        }
        if (result == -Errno.ECONNREFUSED) {
            return status;
        }
        if (result == 0 || result == -Errno.EPROTOTYPE) {
            throw taken(path, "is in use: a process listens there");
        }
        throw new LinuxException("connect", path.toString(), -result);
    }

    private static IOException taken(Path path, String state) {
        return new IOException(
                "cannot listen on %s: it %s; stop what uses it, or choose another path".formatted(path, state));
    }

    /**
     * Asks whether a socket is alive without making a connection that its owner would have to serve: a datagram socket
     * cannot connect to a stream socket, and the kernel says so only where there is one.
     *
     * @return 0 or a negative error number; ECONNREFUSED where the file's socket is gone
     */
    private static int probe(Path path) throws IOException {
        int raw = SocketCalls.socket(SocketAddress.AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        try (Fd socket = Fd.adopt(LinuxException.check(raw, "socket", path.toString()), path.toString());
                Arena arena = Arena.ofConfined()) {
            return SocketCalls.connect(
                    socket.raw(), SocketAddress.of(path, arena).address(), SocketAddress.SIZE);
        }
    }

    private static Path bindBeside(Fd socket, Path path) throws IOException {
        int pathBytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
        int leafBytes = String.valueOf(path.getFileName()).getBytes(StandardCharsets.UTF_8).length;
        int room = Math.min(MAX_TEMPORARY_NAME_BYTES, SocketAddress.MAX_PATH_BYTES - pathBytes + leafBytes);
        int result = -Errno.EADDRINUSE;
        for (int attempt = 0; attempt < ATTEMPTS && result == -Errno.EADDRINUSE; attempt++) {
            Path temporary = path.resolveSibling(temporaryName(room));
            if (temporary.equals(path)) {
                // Of names with one letter there are few.
                continue;
            }
            try (Arena arena = Arena.ofConfined()) {
                result = SocketCalls.bind(
                        socket.raw(), SocketAddress.of(temporary, arena).address(), SocketAddress.SIZE);
            }
            if (result == 0) {
                return temporary;
            }
        }
        throw new LinuxException("bind", path.toString(), -result);
    }

    private static String temporaryName(int byteCount) {
        StringBuilder name = new StringBuilder(byteCount);
        if (byteCount > 2) {
            name.append('.');
        }
        while (name.length() < byteCount) {
            name.append(NAME_LETTERS.charAt(ThreadLocalRandom.current().nextInt(NAME_LETTERS.length())));
        }
        return name.toString();
    }

    private static @Nullable FileStatus statusOrNull(Path path) throws LinuxException {
        try {
            return FileIo.status(path);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                return null;
            }
            throw e;
        }
    }

    private static int rename(Path from, Path to, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return SocketCalls.renameat2(
                    Statx.AT_FDCWD,
                    arena.allocateFrom(from.toString()).address(),
                    Statx.AT_FDCWD,
                    arena.allocateFrom(to.toString()).address(),
                    flags);
        }
    }

    private static int chmod(Path path, int mode) {
        try (Arena arena = Arena.ofConfined()) {
            return SocketCalls.chmod(arena.allocateFrom(path.toString()).address(), mode);
        }
    }

    private static int unlink(Path path) {
        try (Arena arena = Arena.ofConfined()) {
            return SocketCalls.unlink(arena.allocateFrom(path.toString()).address());
        }
    }
}
