package io.fairlead.devices.fs;

import static io.fairlead.devices.fs.FuseClient.bytes;
import static io.fairlead.devices.fs.FuseClient.names;
import static io.fairlead.devices.fs.FuseClient.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.virtio.Feature;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many more files than there are descriptors: they are found again, and nothing else is found in their place. */
class FsManyFilesTest {
    private static final long ROOT = Fuse.ROOT_ID;
    private static final int DESCRIPTORS = 40;

    @TempDir
    Path folder;

    private FuseClient client(String fileHandles, int descriptors) throws Exception {
        return new FuseClient(
                        folder, Map.of("file-handles", fileHandles, "max-descriptors", Integer.toString(descriptors)))
                .mount();
    }

    private static int status(FuseClient guest, long node) {
        return guest.call(FuseOpcode.GETATTR, node, bytes(16), FuseAttribute.AttrOut.BYTES)
                .error();
    }

    private static long inode(FuseClient guest, long node) {
        return guest.call(FuseOpcode.GETATTR, node, bytes(16), FuseAttribute.AttrOut.BYTES)
                .ok()
                .getLong(FuseAttribute.AttrOut.ATTR + FuseAttribute.Attr.INO);
    }

    /** Has other files take all descriptors. */
    private static void evict(FuseClient guest) {
        long crowd = guest.mkdir(ROOT, "crowd" + System.nanoTime()).nodeId();
        for (int i = 0; i < 3 * DESCRIPTORS; i++) {
            guest.mkdir(crowd, "f" + i).ok();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    void manyFilesAreMadeListedFoundAndRemoved(String fileHandles) throws Exception {
        manyFiles(fileHandles, 1_500, DESCRIPTORS);
    }

    @Tag("long")
    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    void hundredsOfThousandsOfFiles(String fileHandles) throws Exception {
        manyFiles(fileHandles, 200_000, 1000);
    }

    private void manyFiles(String fileHandles, int count, int most) throws Exception {
        long before = Fd.openCount();
        try (FuseClient guest = client(fileHandles, most)) {
            long own = Fd.openCount();
            Map<String, Long> numbers = new HashMap<>();
            long[] folders = new long[100];
            for (int i = 0; i < folders.length; i++) {
                folders[i] = guest.mkdir(ROOT, "d" + i).nodeId();
            }
            for (int i = 0; i < count; i++) {
                FuseClient.Reply created = guest.create(folders[i % 100], "f" + i, FileIo.O_RDWR);
                numbers.put("f" + i, created.nodeId());
                guest.release(FuseOpcode.RELEASE, created.nodeId(), FuseClient.createdHandle(created))
                        .ok();
                assertThat(Fd.openCount() - own).isLessThan(most + 50);
            }
            int listed = 0;
            for (long each : folders) {
                listed += list(guest, each, numbers);
            }
            assertThat(listed).isEqualTo(count);
            for (int i = 0; i < count; i += 3) {
                long node = numbers.get("f" + i);
                assertThat(inode(guest, node))
                        .isEqualTo(Files.getAttribute(folder.resolve("d" + i % 100 + "/f" + i), "unix:ino"));
                assertThat(guest.lookup(folders[i % 100], "f" + i).nodeId()).isEqualTo(node);
            }
            assertThat(Fd.openCount() - own).isLessThan(most + 50);
            for (int i = 0; i < count; i++) {
                guest.call(FuseOpcode.UNLINK, folders[i % 100], names("f" + i), 0)
                        .ok();
                guest.forget(numbers.get("f" + i), 1000);
            }
            for (int i = 0; i < folders.length; i++) {
                guest.call(FuseOpcode.RMDIR, ROOT, names("d" + i), 0).ok();
            }
        }
        assertThat(Fd.openCount()).isEqualTo(before);
    }

    /** Lists a folder with attributes; every entry must have the number that it was given before. */
    private static int list(FuseClient guest, long node, Map<String, Long> numbers) {
        long handle = guest.call(FuseOpcode.OPENDIR, node, bytes(8), 16).ok().getLong(0);
        int found = 0;
        for (long position = 0; ; ) {
            ByteBuffer entries = guest.call(
                            FuseOpcode.READDIRPLUS, node, FuseClient.readIn(handle, position, 65536), 65536)
                    .ok()
                    .body();
            if (entries.remaining() == 0) {
                break;
            }
            for (int at = 0; at < entries.limit(); ) {
                int head = at + FuseAttribute.EntryOut.BYTES;
                byte[] name = new byte[entries.getInt(head + FuseName.Dirent.NAMELEN)];
                entries.get(head + FuseName.Dirent.BYTES, name);
                position = entries.getLong(head + FuseName.Dirent.OFF);
                at = head + ((FuseName.Dirent.BYTES + name.length + 7) & ~7);
                Long number = numbers.get(new String(name, StandardCharsets.US_ASCII));
                if (number != null) {
                    assertThat(entries.getLong(head - FuseAttribute.EntryOut.BYTES))
                            .isEqualTo(number);
                    found++;
                }
            }
        }
        guest.release(FuseOpcode.RELEASEDIR, node, handle).ok();
        return found;
    }

    /** What the guest itself renames, links and removes is followed. */
    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    void aFileIsFoundWhereTheGuestPutIt(String fileHandles) throws Exception {
        try (FuseClient guest = client(fileHandles, DESCRIPTORS)) {
            long one = guest.mkdir(ROOT, "one").nodeId();
            long two = guest.mkdir(one, "two").nodeId();
            long file = guest.create(two, "file", FileIo.O_RDWR).nodeId();
            long number = inode(guest, file);
            evict(guest);
            assertThat(inode(guest, file)).isEqualTo(number);
            ByteBuffer rename = with(bytes(FuseName.RenameIn.BYTES).putLong(0, ROOT), "two", "moved");
            guest.call(FuseOpcode.RENAME, one, rename, 0).ok();
            evict(guest);
            assertThat(inode(guest, file)).isEqualTo(number);
            long other = guest.create(ROOT, "other", FileIo.O_RDWR).nodeId();
            long otherNumber = inode(guest, other);
            ByteBuffer exchange = with(
                    bytes(FuseName.Rename2In.BYTES).putLong(0, two).putInt(8, FolderIo.RENAME_EXCHANGE),
                    "other",
                    "file");
            guest.call(FuseOpcode.RENAME2, ROOT, exchange, 0).ok();
            evict(guest);
            assertThat(inode(guest, file)).isEqualTo(number);
            assertThat(inode(guest, other)).isEqualTo(otherNumber);
            ByteBuffer link = with(bytes(FuseName.LinkIn.BYTES).putLong(0, file), "linked");
            guest.call(FuseOpcode.LINK, one, link, FuseAttribute.EntryOut.BYTES).ok();
            guest.call(FuseOpcode.UNLINK, ROOT, names("other"), 0).ok();
            evict(guest);
            assertThat(inode(guest, file)).isEqualTo(number);
        }
    }

    /** As long as the guest has a file open it can ask about it, with or without a name. */
    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    void aFileThatIsRemovedStaysWhileItIsOpen(String fileHandles) throws Exception {
        try (FuseClient guest = client(fileHandles, DESCRIPTORS)) {
            FuseClient.Reply created = guest.create(ROOT, "file", FileIo.O_RDWR);
            long file = created.nodeId();
            long handle = FuseClient.createdHandle(created);
            guest.create(ROOT, "host", FileIo.O_RDWR).ok();
            guest.call(FuseOpcode.UNLINK, ROOT, names("file"), 0).ok();
            evict(guest);
            assertThat(status(guest, file)).isZero();
            guest.open(file, FileIo.O_RDWR).ok();
            long hosts = guest.lookup(ROOT, "host").nodeId();
            Files.delete(folder.resolve("host"));
            evict(guest);
            assertThat(status(guest, hosts)).isZero();
            guest.release(FuseOpcode.RELEASE, file, handle).ok();
        }
    }

    /** What takes the place, or the number, of a file that the host removed is another file. */
    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    void anotherFileInItsPlaceIsAnother(String fileHandles) throws Exception {
        for (int i = 0; i < 20; i++) {
            Files.writeString(folder.resolve("file" + i), "guest's");
        }
        Files.createDirectory(folder.resolve("sub"));
        Files.writeString(folder.resolve("sub/file"), "guest's");
        try (FuseClient guest = client(fileHandles, DESCRIPTORS)) {
            long[] known = new long[20];
            for (int i = 0; i < known.length; i++) {
                known[i] = guest.lookup(ROOT, "file" + i).nodeId();
            }
            long sub = guest.lookup(ROOT, "sub").nodeId();
            long below = guest.lookup(sub, "file").nodeId();
            evict(guest);
            // The host's file system gives the numbers that are free now to the next files.
            for (int i = 0; i < known.length; i++) {
                Files.delete(folder.resolve("file" + i));
            }
            for (int i = 0; i < known.length; i++) {
                Files.writeString(folder.resolve("file" + i), "new");
            }
            Files.move(folder.resolve("sub"), folder.resolve("elsewhere"));
            Files.createSymbolicLink(folder.resolve("sub"), Path.of("/etc"));
            for (int i = 0; i < known.length; i++) {
                assertThat(status(guest, known[i])).isEqualTo(-Errno.ESTALE);
                assertThat(guest.open(known[i], FileIo.O_RDONLY).error()).isEqualTo(-Errno.ESTALE);
                assertThat(guest.lookup(ROOT, "file" + i).nodeId()).isNotIn(known[i]);
            }
            // A file that was only moved is found by its handle, and by its name when it was seen there.
            if (fileHandles.equals("off")) {
                assertThat(status(guest, below)).isEqualTo(-Errno.ESTALE);
                guest.lookup(ROOT, "elsewhere").ok();
            }
            assertThat(status(guest, below)).isZero();
            assertThat(guest.lookup(sub, "file").nodeId()).isEqualTo(below);
        }
    }

    /** The numbers of thousands of files go along without the host being asked about one of them. */
    @Test
    void filesThatAreOnlyKnownAreLookedForWhenTheyAreUsed() throws Exception {
        try (FuseClient source = client("on", DESCRIPTORS);
                FuseClient destination = new FuseClient(folder, Map.of())) {
            long sub = source.mkdir(ROOT, "sub").nodeId();
            long[] files = new long[300];
            for (int i = 0; i < files.length; i++) {
                files[i] = source.mkdir(sub, "f" + i).nodeId();
            }
            Files.delete(folder.resolve("sub/f7"));
            Files.delete(folder.resolve("sub/f8"));
            Files.createDirectory(folder.resolve("sub/f8"));
            long open = Fd.openCount();
            destination.device.typeState(source.device.typeState());
            assertThat(Fd.openCount()).as("nothing was opened").isEqualTo(open);
            destination.guest.start(Feature.VERSION_1);
            for (int i = 0; i < files.length; i++) {
                assertThat(status(destination, files[i])).isEqualTo(i == 7 || i == 8 ? -Errno.ESTALE : 0);
            }
            assertThat(destination.lookup(sub, "f9").nodeId()).isEqualTo(files[9]);
        }
    }
}
