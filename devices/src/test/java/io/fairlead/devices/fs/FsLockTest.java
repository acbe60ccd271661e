package io.fairlead.devices.fs;

import static io.fairlead.devices.fs.FuseClient.bytes;
import static io.fairlead.devices.fs.FuseClient.lock;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Locks of the guest's processes, against each other and against those of the host. */
class FsLockTest {
    private static final long ROOT = Fuse.ROOT_ID;
    private static final int READ = FileIo.F_RDLCK;
    private static final int WRITE = FileIo.F_WRLCK;
    private static final int UNLOCK = FileIo.F_UNLCK;
    private static final long MAX = Long.MAX_VALUE;

    @TempDir
    Path folder;

    private static int set(FuseClient guest, long handle, long owner, long start, long end, int type) {
        return guest.call(FuseOpcode.SETLK, ROOT, lock(handle, owner, start, end, type, 0), 0)
                .error();
    }

    @Test
    void rangesExcludeEachOther() throws Exception {
        long descriptors = Fd.openCount();
        try (FuseClient guest = new FuseClient(folder, Map.of()).mount()) {
            FuseClient.Reply created = guest.create(ROOT, "file", FileIo.O_RDWR);
            long handle = FuseClient.createdHandle(created);
            assertThat(set(guest, handle, 1, 0, 99, WRITE)).isZero();
            assertThat(set(guest, handle, 2, 50, 50, READ)).isEqualTo(-Errno.EAGAIN);
            assertThat(set(guest, handle, 2, 100, MAX, READ)).isZero();
            assertThat(set(guest, handle, 1, 40, 59, UNLOCK)).isZero();
            assertThat(set(guest, handle, 2, 45, 50, WRITE)).isZero();
            assertThat(set(guest, handle, 2, 39, 39, WRITE)).isEqualTo(-Errno.EAGAIN);
            assertThat(set(guest, handle, 2, 60, 60, WRITE)).isEqualTo(-Errno.EAGAIN);
            FuseClient.Reply found = guest.call(
                            FuseOpcode.GETLK, ROOT, lock(handle, 3, 0, MAX, WRITE, 0), FuseFile.FileLock.BYTES)
                    .ok();
            assertThat(found.getInt(FuseFile.FileLock.PID)).isIn(1, 2);
            assertThat(set(guest, handle, 1, 10, 5, WRITE)).isEqualTo(-Errno.EINVAL);
            assertThat(set(guest, handle, 1, 0, 5, 9)).isEqualTo(-Errno.EINVAL);
            // The host sees them, too.
            try (FileChannel host = FileChannel.open(folder.resolve("file"), StandardOpenOption.WRITE)) {
                assertThat(host.tryLock(0, 10, false)).isNull();
                assertThat(host.tryLock(52, 3, false)).isNotNull();
            }
            guest.call(
                            FuseOpcode.FLUSH,
                            created.nodeId(),
                            bytes(FuseFile.FlushIn.BYTES).putLong(0, handle).putLong(16, 1),
                            0)
                    .ok();
            assertThat(set(guest, handle, 2, 0, 44, WRITE)).isZero();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
    }

    @Test
    void whoWaitsGetsTheLockWhenItIsGivenUp() throws Exception {
        try (FuseClient guest = new FuseClient(folder, Map.of()).mount()) {
            FuseClient.Reply created = guest.create(ROOT, "file", FileIo.O_RDWR);
            long handle = FuseClient.createdHandle(created);
            assertThat(set(guest, handle, 1, 0, MAX, WRITE)).isZero();
            long _ = guest.send(FuseClient.REQUESTS, 1, FuseOpcode.SETLKW, ROOT, lock(handle, 2, 0, MAX, WRITE, 0), 0);
            // Others go on meanwhile.
            assertThat(guest.write(ROOT, handle, 0, "while one waits").error()).isZero();
            long _ = guest.send(FuseClient.REQUESTS, 2, FuseOpcode.SETLK, ROOT, lock(handle, 1, 0, MAX, UNLOCK, 0), 0);
            assertThat(guest.reply(FuseClient.REQUESTS, 2).error()).isZero();
            assertThat(guest.reply(FuseClient.REQUESTS, 1).error()).isZero();
            assertThat(set(guest, handle, 1, 0, 0, READ)).isEqualTo(-Errno.EAGAIN);
        }
    }

    @Test
    void whoWaitsIsInterrupted() throws Exception {
        try (FuseClient guest = new FuseClient(folder, Map.of()).mount();
                Fd host = FileIo.open(folder.resolve("file"), FileIo.O_RDWR | FileIo.O_CREAT, 0600)) {
            assertThat(FileIo.tryLock(host, true)).isTrue();
            long file = guest.lookup(ROOT, "file").nodeId();
            long handle = guest.open(file, FileIo.O_RDWR).ok().getLong(0);
            assertThat(set(guest, handle, 1, 0, MAX, READ))
                    .as("held by the host")
                    .isEqualTo(-Errno.EAGAIN);
            long unique =
                    guest.send(FuseClient.REQUESTS, 1, FuseOpcode.SETLKW, ROOT, lock(handle, 2, 0, MAX, WRITE, 0), 0);
            await().until(() -> {
                guest.tell(
                        FuseClient.HIPRIO,
                        FuseOpcode.INTERRUPT,
                        0,
                        bytes(Fuse.InterruptIn.BYTES).putLong(0, unique));
                return guest.guest.queue(FuseClient.REQUESTS).hasUsed();
            });
            assertThat(guest.reply(FuseClient.REQUESTS, 1).error()).isEqualTo(-Errno.EINTR);
        }
    }

    /** A stop does not wait for the lock; the request stays in flight and is answered when the device goes on. */
    @Test
    void aStopDoesNotWaitForALock() throws Exception {
        long descriptors = Fd.openCount();
        try (FuseClient guest = new FuseClient(folder, Map.of()).mount()) {
            FuseClient.Reply created = guest.create(ROOT, "file", FileIo.O_RDWR);
            long handle = FuseClient.createdHandle(created);
            assertThat(set(guest, handle, 1, 0, MAX, WRITE)).isZero();
            long _ = guest.send(FuseClient.REQUESTS, 1, FuseOpcode.SETLKW, ROOT, lock(handle, 2, 0, MAX, WRITE, 0), 0);
            assertThat(guest.write(ROOT, handle, 0, "x").error()).isZero();
            for (int i = 0; i < 3; i++) {
                guest.device.suspend();
                assertThat(guest.device.inflightRequests(FuseClient.REQUESTS).count())
                        .isOne();
                guest.device.resume();
                assertThat(guest.write(ROOT, handle, 0, "y").error()).isZero();
            }
            restart(guest);
            assertThat(guest.write(ROOT, handle, 0, "z").error()).isZero();
            long _ = guest.send(FuseClient.REQUESTS, 2, FuseOpcode.SETLK, ROOT, lock(handle, 1, 0, MAX, UNLOCK, 0), 0);
            assertThat(guest.reply(FuseClient.REQUESTS, 2).error()).isZero();
            assertThat(guest.reply(FuseClient.REQUESTS, 1).error()).isZero();
            // A reset answers nothing and leaves nothing.
            long _ = guest.send(FuseClient.REQUESTS, 1, FuseOpcode.SETLKW, ROOT, lock(handle, 1, 0, MAX, WRITE, 0), 0);
            guest.device.reset();
            guest.guest.start(Feature.VERSION_1);
            guest.init(-1).ok();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
    }

    /** The machine stood still and its front-end sets all up again; its driver has noticed nothing. */
    private static void restart(FuseClient guest) throws Exception {
        guest.device.suspend();
        QueueState[] states = new QueueState[guest.device.queueCount()];
        for (int i = 0; i < states.length; i++) {
            states[i] = guest.device.queueState(i);
        }
        guest.device.restart();
        guest.device.driverFeatures(Feature.VERSION_1);
        for (int i = 0; i < states.length; i++) {
            guest.guest.connect(guest.device, i);
            guest.device.queueState(i, states[i]);
            guest.device.queueReady(i, true);
        }
    }

    @Test
    void wholeFilesAreLockedByOpenFile() throws Exception {
        try (FuseClient guest = new FuseClient(folder, Map.of()).mount()) {
            FuseClient.Reply created = guest.create(ROOT, "file", FileIo.O_RDWR);
            long file = created.nodeId();
            long one = FuseClient.createdHandle(created);
            long two = guest.open(file, FileIo.O_RDWR).ok().getLong(0);
            assertThat(flock(guest, one, WRITE)).isZero();
            assertThat(flock(guest, two, READ)).isEqualTo(-Errno.EAGAIN);
            guest.release(FuseOpcode.RELEASE, file, one).ok();
            assertThat(flock(guest, two, READ)).isZero();
        }
    }

    private static int flock(FuseClient guest, long handle, int type) {
        return guest.call(FuseOpcode.SETLK, ROOT, lock(handle, 7, 0, MAX, type, FuseFlag.F_LK_FLOCK), 0)
                .error();
    }
}
