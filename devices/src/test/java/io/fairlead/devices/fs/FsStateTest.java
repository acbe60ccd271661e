package io.fairlead.devices.fs;

import static io.fairlead.devices.fs.FuseClient.bytes;
import static io.fairlead.devices.fs.FuseClient.lock;
import static io.fairlead.devices.fs.FuseClient.names;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.parts.Octets;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the guest has goes from one device to another. */
class FsStateTest {
    private static final long ROOT = Fuse.ROOT_ID;
    private static final long MAX = Long.MAX_VALUE;

    @TempDir
    Path folder;

    @TempDir
    Path outside;

    private FuseClient client() throws Exception {
        return new FuseClient(folder, Map.of());
    }

    @Test
    void openFilesLocksAndNumbersGoAlong() throws Exception {
        long descriptors = Fd.openCount();
        try (FuseClient source = client().mount();
                FuseClient destination = client()) {
            long sub = source.mkdir(ROOT, "sub").nodeId();
            FuseClient.Reply created = source.create(sub, "file", FileIo.O_RDWR);
            long file = created.nodeId();
            long handle = FuseClient.createdHandle(created);
            source.write(file, handle, 0, "written before").ok();
            long dir = source.call(FuseOpcode.OPENDIR, sub, bytes(8), 16).ok().getLong(0);
            assertThat(source.call(FuseOpcode.SETLK, file, lock(handle, 5, 10, 20, FileIo.F_WRLCK, 0), 0)
                            .error())
                    .isZero();
            assertThat(source.call(
                                    FuseOpcode.SETLK,
                                    file,
                                    lock(handle, 5, 0, MAX, FileIo.F_WRLCK, FuseFlag.F_LK_FLOCK),
                                    0)
                            .error())
                    .isZero();
            // Renamed while it is open, and a name that went without being open.
            Files.move(folder.resolve("sub/file"), folder.resolve("sub/renamed"));
            long gone = source.mkdir(ROOT, "gone").nodeId();
            source.call(FuseOpcode.RMDIR, ROOT, names("gone"), 0).ok();
            source.device.suspend();
            Octets state = source.device.typeState();
            destination.device.typeState(state);
            assertThat(destination.device.typeState()).isEqualTo(state);
            destination.guest.start(Feature.VERSION_1);

            assertThat(destination.read(file, handle, 0, 100).text()).isEqualTo("written before");
            destination.write(file, handle, 8, "after it").ok();
            assertThat(folder.resolve("sub/renamed")).hasContent("written after it");
            assertThat(destination.lookup(sub, "renamed").nodeId()).isEqualTo(file);
            assertThat(destination.lookup(gone, "x").error()).isEqualTo(-Errno.ESTALE);
            assertThat(destination.mkdir(ROOT, "new").nodeId()).isNotIn(gone, file, sub);
            assertThat(destination
                            .call(FuseOpcode.READDIR, sub, FuseClient.readIn(dir, 0, 4096), 4096)
                            .text())
                    .contains("renamed");
            // The lock counts for the guest's own at once, and at the host when the source has let go.
            assertThat(destination
                            .call(FuseOpcode.SETLK, file, lock(handle, 6, 15, 15, FileIo.F_WRLCK, 0), 0)
                            .error())
                    .isEqualTo(-Errno.EAGAIN);
            source.device.reset();
            try (Fd host = FileIo.open(folder.resolve("sub/renamed"), FileIo.O_RDWR, 0)) {
                await().until(() -> FileIo.setLock(host.raw(), FileIo.F_WRLCK, 15, 1) == -Errno.EAGAIN
                        && FileIo.flock(host.raw(), FileIo.LOCK_SH | FileIo.LOCK_NB) == -Errno.EAGAIN);
                assertThat(FileIo.setLock(host.raw(), FileIo.F_WRLCK, 21, 1)).isZero();
            }
            destination.forget(file, 100);
            destination.release(FuseOpcode.RELEASE, file, handle).ok();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
    }

    @Test
    void whatIsNotHereIsRefusedByName() throws Exception {
        Files.writeString(folder.resolve("a"), "a");
        try (FuseClient source = client().mount();
                FuseClient destination = client()) {
            source.open(source.lookup(ROOT, "a").nodeId(), FileIo.O_RDONLY).ok();
            Octets state = source.device.typeState();
            Files.move(folder.resolve("a"), folder.resolve("b"));
            long open = Fd.openCount();
            assertThatThrownBy(() -> destination.device.typeState(state))
                    .isInstanceOf(StateMismatchException.class)
                    .hasMessageContainingAll("fs0", "a is not here", "ENOENT");
            Files.writeString(folder.resolve("a"), "another");
            assertThatThrownBy(() -> destination.device.typeState(state))
                    .isInstanceOf(StateMismatchException.class)
                    .hasMessageContaining("a is another file here");
            Files.delete(folder.resolve("a"));
            Files.createSymbolicLink(folder.resolve("a"), Path.of("b"));
            assertThatThrownBy(() -> destination.device.typeState(state)).isInstanceOf(StateMismatchException.class);
            assertThat(Fd.openCount()).isEqualTo(open);
            assertThat(destination.device.typeState()).isEqualTo(Octets.EMPTY);
            Files.move(folder.resolve("b"), outside.resolve("b"));
            assertThatThrownBy(source.device::typeState)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("/b)");
        }
    }

    @Test
    void anotherFolderIsRefused() throws Exception {
        try (FuseClient source = client().mount();
                FuseClient destination = new FuseClient(outside, Map.of())) {
            Octets state = source.device.typeState();
            assertThatThrownBy(() -> destination.device.typeState(state))
                    .isInstanceOf(StateMismatchException.class)
                    .hasMessageContainingAll(outside.toString(), "another folder");
        }
    }

    /** A file that is open and has no name any more is found by its handle. */
    @Test
    void aFileThatWasRemovedWhileItIsOpenGoesAlong() throws Exception {
        long descriptors = Fd.openCount();
        try (FuseClient source = client().mount();
                FuseClient destination = client();
                FuseClient withoutHandles = new FuseClient(folder, Map.of("file-handles", "off"))) {
            Files.writeString(folder.resolve("kept"), "not for the guest");
            FuseClient.Reply created = source.create(ROOT, "removed", FileIo.O_RDWR);
            long file = created.nodeId();
            long handle = FuseClient.createdHandle(created);
            source.write(file, handle, 0, "nameless").ok();
            byte[] removed = handle("removed");
            source.call(FuseOpcode.UNLINK, ROOT, names("removed"), 0).ok();
            Octets state = source.device.typeState();
            assertThatThrownBy(() -> withoutHandles.device.typeState(state))
                    .isInstanceOf(StateMismatchException.class)
                    .hasMessageContainingAll("removed", "no name any more");
            destination.device.typeState(state);
            destination.guest.start(Feature.VERSION_1);
            assertThat(destination.read(file, handle, 0, 100).text()).isEqualTo("nameless");
            assertThat(destination
                            .call(FuseOpcode.GETATTR, file, bytes(16), FuseAttribute.AttrOut.BYTES)
                            .ok()
                            .getInt(FuseAttribute.AttrOut.ATTR + FuseAttribute.Attr.NLINK))
                    .isZero();
            // The handle of a file that has a name is none of those that a state may bring.
            byte[] forged = replaced(state.toArray(), removed, handle("kept"));
            assertThat(forged).isNotEqualTo(state.toArray());
            assertThatThrownBy(() -> destination.device.typeState(Octets.of(forged)))
                    .isInstanceOf(StateMismatchException.class)
                    .hasMessageContaining("its file handle is another file's here");
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
    }

    private byte[] handle(String name) throws IOException {
        try (Fd fd = FileIo.open(folder.resolve(name), FileIo.O_RDONLY, 0)) {
            return Objects.requireNonNull(InodeDescriptors.anyHandleOf(FsThread.current(), fd.raw()));
        }
    }

    private static byte[] replaced(byte[] bytes, byte[] old, byte[] with) {
        byte[] result = bytes.clone();
        for (int at = 0; at + old.length <= bytes.length; at++) {
            if (Arrays.equals(bytes, at, at + old.length, old, 0, old.length)) {
                System.arraycopy(with, 0, result, at, with.length);
            }
        }
        return result;
    }

    @Test
    void aBrokenStateIsRefused() throws Exception {
        Files.writeString(folder.resolve("a"), "a");
        try (FuseClient source = client().mount();
                FuseClient destination = client()) {
            long file = source.lookup(ROOT, "a").nodeId();
            long handle = source.open(file, FileIo.O_RDWR).ok().getLong(0);
            source.call(FuseOpcode.SETLK, file, lock(handle, 5, 10, 20, FileIo.F_WRLCK, 0), 0)
                    .ok();
            byte[] state = source.device.typeState().toArray();
            long open = Fd.openCount();
            for (int length = 1; length < state.length; length++) {
                Octets cut = Octets.of(Arrays.copyOf(state, length));
                assertThatThrownBy(() -> destination.device.typeState(cut)).isInstanceOf(StateMismatchException.class);
            }
            Random random = new Random(4);
            for (int i = 0; i < 3000; i++) {
                byte[] changed = state.clone();
                for (int k = random.nextInt(3); k >= 0; k--) {
                    changed[random.nextInt(changed.length)] = (byte) random.nextInt();
                }
                try {
                    destination.device.typeState(Octets.of(changed));
                } catch (StateMismatchException e) {
                    assertThat(destination.device.typeState()).isEqualTo(Octets.EMPTY);
                }
            }
            destination.device.typeState(Octets.EMPTY);
            assertThat(Fd.openCount()).isEqualTo(open);
        }
    }
}
