package io.fairlead.devices.fs;

import static io.fairlead.devices.fs.FuseClient.bytes;
import static io.fairlead.devices.fs.FuseClient.names;
import static io.fairlead.devices.fs.FuseClient.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.Mapping;
import io.fairlead.linux.ThreadIdentity;
import io.fairlead.virtio.Feature;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the device does for a guest that asks sensibly. */
class FsDeviceTest {
    private static final long ROOT = Fuse.ROOT_ID;

    @TempDir
    Path folder;

    private long descriptors;
    private long mappings;

    @BeforeEach
    void count() {
        descriptors = Fd.openCount();
        mappings = Mapping.openCount();
    }

    @AfterEach
    void nothingIsLeft() {
        assertThat(Fd.openCount()).as("descriptors").isEqualTo(descriptors);
        assertThat(Mapping.openCount()).as("mappings").isEqualTo(mappings);
    }

    private FuseClient client(String... more) throws Exception {
        Map<String, String> attributes = new HashMap<>();
        for (int i = 0; i < more.length; i += 2) {
            attributes.put(more[i], more[i + 1]);
        }
        return new FuseClient(folder, attributes);
    }

    @Test
    void negotiatesAndWantsThatFirst() throws Exception {
        try (FuseClient guest = client("cache", "always")) {
            guest.guest.start(Feature.VERSION_1);
            assertThat(guest.lookup(ROOT, "a").error()).isEqualTo(-Errno.ENOTCONN);
            FuseClient.Reply init = guest.init(-1).ok();
            assertThat(init.getInt(Fuse.InitOut.MAJOR)).isEqualTo(7);
            assertThat(init.getInt(Fuse.InitOut.MINOR)).isEqualTo(Fuse.MINOR);
            assertThat(init.getInt(Fuse.InitOut.MAX_WRITE)).isEqualTo(1 << 20);
            assertThat((int) init.body().getShort(Fuse.InitOut.MAX_PAGES)).isEqualTo(256);
            long flags = init.getInt(Fuse.InitOut.FLAGS);
            assertThat(flags & FuseFlag.F_WRITEBACK_CACHE).isNotZero();
            assertThat(flags & FuseFlag.F_AUTO_INVAL_DATA).isZero();
            assertThat(flags & FuseFlag.F_POSIX_LOCKS).isNotZero();
            init = guest.init((int) FuseFlag.F_BIG_WRITES).ok();
            assertThat(init.getInt(Fuse.InitOut.FLAGS)).isEqualTo((int) FuseFlag.F_BIG_WRITES);
            assertThat(guest.call(
                                    FuseOpcode.INIT,
                                    0,
                                    bytes(Fuse.InitIn.BYTES).putInt(0, 7).putInt(4, 30),
                                    Fuse.InitOut.BYTES)
                            .error())
                    .isEqualTo(-Errno.EPROTO);
            assertThat(guest.call(
                                    FuseOpcode.INIT,
                                    0,
                                    bytes(Fuse.InitIn.BYTES).putInt(0, 8).putInt(4, 1),
                                    Fuse.InitOut.BYTES)
                            .ok()
                            .getInt(0))
                    .isEqualTo(7);
        }
    }

    @Test
    void findsMakesRenamesAndRemoves() throws Exception {
        Files.writeString(folder.resolve("file"), "hello");
        try (FuseClient guest = client().mount()) {
            FuseClient.Reply entry = guest.lookup(ROOT, "file").ok();
            long file = entry.nodeId();
            assertThat(file).isNotEqualTo(ROOT);
            assertThat(entry.getLong(FuseAttribute.EntryOut.ATTR + FuseAttribute.Attr.SIZE))
                    .isEqualTo(5);
            assertThat(entry.getLong(FuseAttribute.EntryOut.ATTR + FuseAttribute.Attr.INO))
                    .isEqualTo(Files.getAttribute(folder.resolve("file"), "unix:ino"));
            assertThat(entry.getLong(FuseAttribute.EntryOut.ATTR_VALID)).isEqualTo(1);
            assertThat(guest.lookup(ROOT, "file").nodeId()).as("the same file").isEqualTo(file);
            assertThat(guest.lookup(ROOT, "none").error()).isEqualTo(-Errno.ENOENT);
            assertThat(guest.lookup(file, "below").error()).isEqualTo(-Errno.ENOTDIR);

            long sub = guest.mkdir(ROOT, "sub").nodeId();
            assertThat(guest.mkdir(ROOT, "sub").error()).isEqualTo(-Errno.EEXIST);
            ByteBuffer link = with(bytes(FuseName.LinkIn.BYTES).putLong(0, file), "hard");
            assertThat(guest.call(FuseOpcode.LINK, sub, link, FuseAttribute.EntryOut.BYTES)
                            .nodeId())
                    .isEqualTo(file);
            assertThat(Files.getAttribute(folder.resolve("file"), "unix:nlink")).isEqualTo(2);

            FuseClient.Reply symlink = guest.call(
                    FuseOpcode.SYMLINK, ROOT, names("soft", "../../etc/passwd"), FuseAttribute.EntryOut.BYTES);
            assertThat(guest.call(FuseOpcode.READLINK, symlink.nodeId(), bytes(0), 4096)
                            .text())
                    .isEqualTo("../../etc/passwd");
            assertThat(guest.call(FuseOpcode.READLINK, file, bytes(0), 4096).error())
                    .isEqualTo(-Errno.EINVAL);

            ByteBuffer rename = with(bytes(FuseName.RenameIn.BYTES).putLong(0, sub), "file", "moved");
            guest.call(FuseOpcode.RENAME, ROOT, rename, 0).ok();
            assertThat(folder.resolve("sub/moved")).hasContent("hello");
            ByteBuffer over = with(
                    bytes(FuseName.Rename2In.BYTES).putLong(0, sub).putInt(8, FolderIo.RENAME_NOREPLACE),
                    "moved",
                    "hard");
            assertThat(guest.call(FuseOpcode.RENAME2, sub, over, 0).error()).isEqualTo(-Errno.EEXIST);
            ByteBuffer whiteout = with(
                    bytes(FuseName.Rename2In.BYTES).putLong(0, sub).putInt(8, FolderIo.RENAME_WHITEOUT), "moved", "x");
            assertThat(guest.call(FuseOpcode.RENAME2, sub, whiteout, 0).error()).isEqualTo(-Errno.EINVAL);

            assertThat(guest.call(FuseOpcode.RMDIR, ROOT, names("sub"), 0).error())
                    .isEqualTo(-Errno.ENOTEMPTY);
            assertThat(guest.call(FuseOpcode.UNLINK, ROOT, names("sub"), 0).error())
                    .isEqualTo(-Errno.EISDIR);
            guest.call(FuseOpcode.UNLINK, sub, names("moved"), 0).ok();
            guest.call(FuseOpcode.UNLINK, sub, names("hard"), 0).ok();
            guest.call(FuseOpcode.RMDIR, ROOT, names("sub"), 0).ok();
            assertThat(folder.resolve("sub")).doesNotExist();
            assertThat(guest.lookup(sub, "x").error()).as("a removed folder").isEqualTo(-Errno.ENOENT);
        }
    }

    @Test
    void readsAndWritesStraight() throws Exception {
        try (FuseClient guest = client().mount()) {
            FuseClient.Reply created = guest.create(ROOT, "data", FileIo.O_RDWR);
            long file = created.nodeId();
            long handle = FuseClient.createdHandle(created);
            assertThat(guest.write(file, handle, 3, "hello world").ok().getInt(0))
                    .isEqualTo(11);
            assertThat(guest.read(file, handle, 3, 5).text()).isEqualTo("hello");
            assertThat(guest.read(file, handle, 9, 4096).text()).isEqualTo("world");
            assertThat(guest.read(file, handle, 100, 10).text()).isEmpty();
            assertThat(guest.read(file, handle, -5, 10).error()).isEqualTo(-Errno.EINVAL);
            assertThat(Files.readAllBytes(folder.resolve("data")))
                    .isEqualTo("\0\0\0hello world".getBytes(StandardCharsets.UTF_8));
            String large = "0123456789abcdef".repeat(4096);
            assertThat(guest.write(file, handle, 0, large).ok().getInt(0)).isEqualTo(65536);
            assertThat(guest.read(file, handle, 0, 65536).text()).isEqualTo(large);
            assertThat(guest.device.statistics().total().writtenBytes()).isEqualTo(65536 + 11);

            long reading = guest.open(file, FileIo.O_RDONLY).ok().getLong(0);
            assertThat(guest.write(file, reading, 0, "no").error()).isEqualTo(-Errno.EBADF);
            ByteBuffer wrong =
                    bytes(FuseFile.WriteIn.BYTES + 4).putLong(0, handle).putInt(FuseFile.WriteIn.SIZE, 5);
            assertThat(guest.call(FuseOpcode.WRITE, file, wrong, 8).error()).isEqualTo(-Errno.EINVAL);
            guest.release(FuseOpcode.RELEASE, file, reading).ok();
            assertThat(guest.read(file, reading, 0, 4).error()).isEqualTo(-Errno.EBADF);
            assertThat(guest.release(FuseOpcode.RELEASE, file, reading).error()).isEqualTo(-Errno.EBADF);

            guest.call(FuseOpcode.FSYNC, file, bytes(FuseFile.FsyncIn.BYTES).putLong(0, handle), 0)
                    .ok();
            guest.call(FuseOpcode.FLUSH, file, bytes(FuseFile.FlushIn.BYTES).putLong(0, handle), 0)
                    .ok();
            guest.call(FuseOpcode.SYNCFS, ROOT, bytes(8), 0).ok();
            ByteBuffer punch = bytes(FuseFile.FallocateIn.BYTES)
                    .putLong(0, handle)
                    .putLong(8, 0)
                    .putLong(16, 32768)
                    .putInt(24, FileIo.FALLOC_FL_PUNCH_HOLE | FileIo.FALLOC_FL_KEEP_SIZE);
            guest.call(FuseOpcode.FALLOCATE, file, punch, 0).ok();
            ByteBuffer seek = bytes(FuseFile.LseekIn.BYTES).putLong(0, handle).putInt(16, FileIo.SEEK_DATA);
            assertThat(guest.call(FuseOpcode.LSEEK, file, seek, 8).ok().getLong(0))
                    .isEqualTo(32768);
            assertThat(guest.call(FuseOpcode.LSEEK, file, seek.putInt(16, FileIo.SEEK_SET), 8)
                            .error())
                    .isEqualTo(-Errno.EINVAL);

            FuseClient.Reply target = guest.create(ROOT, "copy", FileIo.O_WRONLY);
            ByteBuffer copy = bytes(FuseFile.CopyFileRangeIn.BYTES)
                    .putLong(FuseFile.CopyFileRangeIn.FH_IN, handle)
                    .putLong(FuseFile.CopyFileRangeIn.OFF_IN, 32768)
                    .putLong(FuseFile.CopyFileRangeIn.NODEID_OUT, target.nodeId())
                    .putLong(FuseFile.CopyFileRangeIn.FH_OUT, FuseClient.createdHandle(target))
                    .putLong(FuseFile.CopyFileRangeIn.LEN, 16);
            assertThat(guest.call(FuseOpcode.COPY_FILE_RANGE, file, copy, 8)
                            .ok()
                            .getInt(0))
                    .isEqualTo(16);
            assertThat(folder.resolve("copy")).hasContent("0123456789abcdef");
        }
    }

    /** Alone and several at a time: what the queue's own thread does, and as long as a guest may send them. */
    @ParameterizedTest
    @ValueSource(ints = {496 << 10, FsService.MAX_WRITE_BYTES})
    void readsAndWritesMuchAtATime(int size) throws Exception {
        try (FuseClient guest = client().mount()) {
            FuseClient.Reply created = guest.create(ROOT, "data", FileIo.O_RDWR);
            long file = created.nodeId();
            long handle = FuseClient.createdHandle(created);
            byte[][] parts = new byte[4][size];
            SplittableRandom random = new SplittableRandom(1);
            for (byte[] part : parts) {
                random.nextBytes(part);
            }
            ByteBuffer alone = FuseClient.writeIn(handle, 0, parts[0]);
            assertThat(guest.call(FuseOpcode.WRITE, file, alone, FuseFile.WriteOut.BYTES)
                            .ok()
                            .getInt(0))
                    .isEqualTo(size);
            assertThat(guest.read(file, handle, 0, size).ok().body().equals(ByteBuffer.wrap(parts[0])))
                    .isTrue();
            for (int i = 0; i < parts.length; i++) {
                ByteBuffer part = FuseClient.writeIn(handle, (long) i * size, parts[i]);
                long _ = guest.send(FuseClient.REQUESTS, i, FuseOpcode.WRITE, file, part, FuseFile.WriteOut.BYTES);
            }
            for (int i = 0; i < parts.length; i++) {
                assertThat(guest.reply(FuseClient.REQUESTS, i).ok().getInt(0)).isEqualTo(size);
            }
            for (int i = 0; i < parts.length; i++) {
                ByteBuffer part = FuseClient.readIn(handle, (long) i * size, size);
                long _ = guest.send(FuseClient.REQUESTS, i, FuseOpcode.READ, file, part, size);
            }
            for (int i = 0; i < parts.length; i++) {
                assertThat(guest.reply(FuseClient.REQUESTS, i).ok().body().equals(ByteBuffer.wrap(parts[i])))
                        .isTrue();
            }
            // Less than asked for, at the end of the file.
            assertThat(guest.read(file, handle, 3L * size + 100, size)
                            .ok()
                            .body()
                            .equals(ByteBuffer.wrap(parts[3], 100, size - 100)))
                    .isTrue();
            assertThat(Files.size(folder.resolve("data"))).isEqualTo(4L * size);
            assertThat(guest.device.statistics().total().failedRequests()).isZero();
        }
    }

    @Test
    void tellsAndSetsAttributes() throws Exception {
        try (FuseClient guest = client().mount()) {
            long file = guest.create(ROOT, "file", FileIo.O_RDWR).nodeId();
            ByteBuffer set = bytes(FuseAttribute.SetattrIn.BYTES)
                    .putInt(
                            FuseAttribute.SetattrIn.VALID,
                            FuseFlag.FATTR_MODE | FuseFlag.FATTR_SIZE | FuseFlag.FATTR_MTIME | FuseFlag.FATTR_ATIME)
                    .putInt(FuseAttribute.SetattrIn.MODE, 0600)
                    .putLong(FuseAttribute.SetattrIn.SIZE, 77)
                    .putLong(FuseAttribute.SetattrIn.MTIME, 1_000_000)
                    .putInt(FuseAttribute.SetattrIn.MTIMENSEC, 9)
                    .putLong(FuseAttribute.SetattrIn.ATIME, 2_000_000);
            FuseClient.Reply attributes = guest.call(FuseOpcode.SETATTR, file, set, FuseAttribute.AttrOut.BYTES)
                    .ok();
            assertThat(attributes.getLong(FuseAttribute.AttrOut.ATTR + FuseAttribute.Attr.SIZE))
                    .isEqualTo(77);
            assertThat(attributes.getLong(FuseAttribute.AttrOut.ATTR + FuseAttribute.Attr.MTIME))
                    .isEqualTo(1_000_000);
            assertThat(attributes.getInt(FuseAttribute.AttrOut.ATTR + FuseAttribute.Attr.MTIMENSEC))
                    .isEqualTo(9);
            assertThat(attributes.getInt(FuseAttribute.AttrOut.ATTR + FuseAttribute.Attr.MODE))
                    .isEqualTo(0100600);
            assertThat(Files.size(folder.resolve("file"))).isEqualTo(77);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("file"))))
                    .isEqualTo("rw-------");
            assertThat(guest.call(
                                    FuseOpcode.SETATTR,
                                    ROOT,
                                    bytes(FuseAttribute.SetattrIn.BYTES).putInt(0, FuseFlag.FATTR_SIZE),
                                    FuseAttribute.AttrOut.BYTES)
                            .error())
                    .isEqualTo(-Errno.EISDIR);
            FuseClient.Reply statx = guest.call(FuseOpcode.STATX, file, bytes(24), FuseAttribute.StatxOut.BYTES)
                    .ok();
            assertThat(statx.getLong(FuseAttribute.StatxOut.STAT + FolderIo.STATX_OFFSET_SIZE))
                    .isEqualTo(77);
            assertThat(statx.getLong(FuseAttribute.StatxOut.STAT + FolderIo.STATX_OFFSET_BTIME))
                    .isGreaterThan(1_500_000_000L);
            FuseClient.Reply fileSystem = guest.call(FuseOpcode.STATFS, ROOT, bytes(0), FuseAttribute.Kstatfs.BYTES)
                    .ok();
            assertThat(fileSystem.getLong(FuseAttribute.Kstatfs.BLOCKS)).isPositive();
            assertThat(fileSystem.getInt(FuseAttribute.Kstatfs.NAMELEN)).isEqualTo(255);
            guest.uid = 1000;
            ByteBuffer access = bytes(FuseAttribute.AccessIn.BYTES).putInt(0, 4);
            assertThat(guest.call(FuseOpcode.ACCESS, file, access, 0).error()).isEqualTo(-Errno.EACCES);
            guest.uid = 0;
            guest.call(FuseOpcode.ACCESS, file, access, 0).ok();
            assertThat(guest.call(FuseOpcode.ACCESS, file, access.putInt(0, 1), 0)
                            .error())
                    .isEqualTo(-Errno.EACCES);
        }
    }

    private static ByteBuffer setXattr(String name, String value) {
        return with(
                bytes(FuseAttribute.SetxattrIn.COMPAT_BYTES).putInt(FuseAttribute.SetxattrIn.SIZE, value.length()),
                name,
                value);
    }

    @Test
    void hasExtendedAttributesOfUsersAlone() throws Exception {
        try (FuseClient guest = client().mount()) {
            long file = guest.create(ROOT, "file", FileIo.O_RDWR).nodeId();
            guest.call(FuseOpcode.SETXATTR, file, setXattr("user.colour", "green"), 0)
                    .ok();
            assertThat(guest.call(FuseOpcode.SETXATTR, file, setXattr("trusted.x", "1"), 0)
                            .error())
                    .isEqualTo(-Errno.EOPNOTSUPP);
            ByteBuffer get = with(bytes(8).putInt(0, 100), "user.colour");
            assertThat(guest.call(FuseOpcode.GETXATTR, file, get, 100).text()).isEqualTo("green");
            assertThat(guest.call(FuseOpcode.GETXATTR, file, get.putInt(0, 0), 8)
                            .ok()
                            .getInt(0))
                    .isEqualTo(5);
            assertThat(guest.call(FuseOpcode.GETXATTR, file, get.putInt(0, 2), 2)
                            .error())
                    .isEqualTo(-Errno.ERANGE);
            assertThat(guest.call(FuseOpcode.LISTXATTR, file, bytes(8).putInt(0, 100), 100)
                            .text())
                    .isEqualTo("user.colour\0");
            assertThat(guest.call(FuseOpcode.LISTXATTR, file, bytes(8), 8).ok().getInt(0))
                    .isEqualTo(12);
            guest.call(FuseOpcode.REMOVEXATTR, file, names("user.colour"), 0).ok();
            assertThat(guest.call(FuseOpcode.GETXATTR, file, get.putInt(0, 100), 100)
                            .error())
                    .isEqualTo(-Errno.ENODATA);
            ByteBuffer lie = with(bytes(8).putInt(0, 60_000), "user.a", "short");
            assertThat(guest.call(FuseOpcode.SETXATTR, file, lie, 0).error()).isEqualTo(-Errno.E2BIG);
        }
    }

    /** Reads a folder to its end, as often as its entries need. */
    private static Set<String> read(FuseClient guest, long node, long handle, int opcode, int room) {
        Set<String> found = new TreeSet<>();
        long offset = 0;
        for (; ; ) {
            ByteBuffer body = guest.call(opcode, node, FuseClient.readIn(handle, offset, room), room)
                    .ok()
                    .body();
            if (body.limit() == 0) {
                return found;
            }
            int head = opcode == FuseOpcode.READDIRPLUS ? FuseAttribute.EntryOut.BYTES : 0;
            for (int at = 0; at < body.limit(); ) {
                int length = body.getInt(at + head + FuseName.Dirent.NAMELEN);
                byte[] name = new byte[length];
                body.get(at + head + FuseName.Dirent.BYTES, name);
                String text = new String(name, StandardCharsets.UTF_8);
                boolean dots = text.equals(".") || text.equals("..");
                if (head > 0) {
                    assertThat(body.getLong(at) == 0).as(text).isEqualTo(dots);
                }
                assertThat(found.add(text)).as(text).isTrue();
                offset = body.getLong(at + head + FuseName.Dirent.OFF);
                at += head + (FuseName.Dirent.BYTES + length + 7) / 8 * 8;
            }
        }
    }

    @Test
    void readsFolders() throws Exception {
        Set<String> expected = new TreeSet<>(Set.of(".", ".."));
        for (int i = 0; i < 300; i++) {
            String name = "file-" + "x".repeat(i % 200) + i;
            expected.add(name);
            Files.createFile(folder.resolve(name));
        }
        try (FuseClient guest = client().mount()) {
            long handle =
                    guest.call(FuseOpcode.OPENDIR, ROOT, bytes(8), 16).ok().getLong(0);
            assertThat(read(guest, ROOT, handle, FuseOpcode.READDIR, 4096)).isEqualTo(expected);
            assertThat(read(guest, ROOT, handle, FuseOpcode.READDIR, 300)).isEqualTo(expected);
            assertThat(read(guest, ROOT, handle, FuseOpcode.READDIRPLUS, 4096)).isEqualTo(expected);
            assertThat(guest.call(FuseOpcode.READDIR, ROOT, FuseClient.readIn(handle, 0, 10), 10)
                            .error())
                    .isEqualTo(-Errno.EINVAL);
            guest.call(FuseOpcode.FSYNCDIR, ROOT, bytes(16).putLong(0, handle), 0)
                    .ok();
            assertThat(guest.read(ROOT, handle, 0, 10).error())
                    .as("read of a folder")
                    .isEqualTo(-Errno.EBADF);
            guest.release(FuseOpcode.RELEASEDIR, ROOT, handle).ok();
            long file = guest.lookup(ROOT, "file-0").nodeId();
            assertThat(guest.call(FuseOpcode.OPENDIR, file, bytes(8), 16).error())
                    .isEqualTo(-Errno.ENOTDIR);
            assertThat(guest.open(ROOT, 0).error()).isEqualTo(-Errno.EISDIR);
        }
    }

    @Test
    void readOnlyChangesNothing() throws Exception {
        Files.writeString(folder.resolve("file"), "as it was");
        try (FuseClient guest = client("read-only", "on").mount()) {
            long file = guest.lookup(ROOT, "file").nodeId();
            assertThat(guest.open(file, FileIo.O_RDWR).error()).isEqualTo(-Errno.EROFS);
            assertThat(guest.open(file, FileIo.O_TRUNC).error()).isEqualTo(-Errno.EROFS);
            assertThat(guest.create(ROOT, "new", FileIo.O_RDONLY).error()).isEqualTo(-Errno.EROFS);
            assertThat(guest.mkdir(ROOT, "new").error()).isEqualTo(-Errno.EROFS);
            assertThat(guest.call(FuseOpcode.UNLINK, ROOT, names("file"), 0).error())
                    .isEqualTo(-Errno.EROFS);
            long handle = guest.open(file, FileIo.O_RDONLY).ok().getLong(0);
            assertThat(guest.read(file, handle, 0, 20).text()).isEqualTo("as it was");
            new FsType().change(guest.device, Map.of("read-only", "off"), false);
            long writing = guest.open(file, FileIo.O_RDWR).ok().getLong(0);
            guest.write(file, writing, 0, "AS").ok();
            new FsType().change(guest.device, Map.of("read-only", "on"), false);
            assertThat(guest.write(file, writing, 0, "no").error()).isEqualTo(-Errno.EROFS);
            assertThat(folder.resolve("file")).hasContent("AS it was");
        }
    }

    @Test
    void makesFilesForTheGuestsUsers() throws Exception {
        Assumptions.assumeTrue(ThreadIdentity.isRoot(), "files for other users need root");
        try (FuseClient guest =
                client("uid-map", "0:100000:1000", "gid-map", "0:200000:1000").mount()) {
            guest.uid = 5;
            guest.gid = 6;
            FuseClient.Reply entry = guest.mkdir(ROOT, "own").ok();
            assertThat(entry.getInt(FuseAttribute.EntryOut.ATTR + FuseAttribute.Attr.UID))
                    .isEqualTo(5);
            assertThat(Files.getAttribute(folder.resolve("own"), "unix:uid", LinkOption.NOFOLLOW_LINKS))
                    .isEqualTo(100005);
            assertThat(Files.getAttribute(folder.resolve("own"), "unix:gid")).isEqualTo(200006);
            guest.uid = 1000;
            assertThat(guest.mkdir(ROOT, "nobody").error()).isEqualTo(-Errno.EPERM);
            Files.createFile(folder.resolve("hosts"));
            assertThat(guest.lookup(ROOT, "hosts").ok().getInt(FuseAttribute.EntryOut.ATTR + FuseAttribute.Attr.UID))
                    .isEqualTo(IdMap.NOBODY);
            ByteBuffer chown = bytes(FuseAttribute.SetattrIn.BYTES)
                    .putInt(0, FuseFlag.FATTR_UID)
                    .putInt(FuseAttribute.SetattrIn.UID, 7);
            guest.call(FuseOpcode.SETATTR, entry.nodeId(), chown, FuseAttribute.AttrOut.BYTES)
                    .ok();
            assertThat(Files.getAttribute(folder.resolve("own"), "unix:uid")).isEqualTo(100007);
        }
    }

    @Test
    void forgetsWhatTheGuestForgets() throws Exception {
        Files.createFile(folder.resolve("a"));
        Files.createFile(folder.resolve("b"));
        try (FuseClient guest = client("max-inodes", "2").mount()) {
            long before = Fd.openCount();
            long a = guest.lookup(ROOT, "a").nodeId();
            guest.lookup(ROOT, "a").ok();
            assertThat(Fd.openCount()).isEqualTo(before + 1);
            assertThat(guest.lookup(ROOT, "b").error()).as("too many").isEqualTo(-Errno.ENFILE);
            guest.forget(a, 1);
            assertThat(guest.lookup(ROOT, "b").error()).isEqualTo(-Errno.ENFILE);
            ByteBuffer many =
                    bytes(8 + 32).putInt(0, 2).putLong(8, a).putLong(16, 1).putLong(24, 99);
            guest.tell(FuseClient.HIPRIO, FuseOpcode.BATCH_FORGET, 0, many);
            assertThat(Fd.openCount()).isEqualTo(before);
            assertThat(guest.call(FuseOpcode.GETATTR, a, bytes(16), FuseAttribute.AttrOut.BYTES)
                            .error())
                    .isEqualTo(-Errno.ESTALE);
            long b = guest.lookup(ROOT, "b").nodeId();
            assertThat(b).as("an old number means nothing new").isNotEqualTo(a);
            guest.forget(ROOT, 1000);
            guest.lookup(ROOT, "b").ok();
            guest.call(FuseOpcode.DESTROY, 0, bytes(0), 0).ok();
            assertThat(Fd.openCount()).isEqualTo(before);
        }
    }

    /** A machine that stood still goes on with its mount; one that mounts again has nothing of what was before. */
    @Test
    void aMountEndsWithAResetOrTheNextMount() throws Exception {
        try (FuseClient guest = client().mount()) {
            FuseClient.Reply created = guest.create(ROOT, "file", FileIo.O_RDWR);
            long file = created.nodeId();
            long handle = FuseClient.createdHandle(created);
            guest.device.suspend();
            guest.device.resetOrRestart();
            guest.guest.start(Feature.VERSION_1);
            guest.write(file, handle, 0, "goes on").ok();
            guest.init(-1).ok();
            assertThat(guest.write(file, handle, 0, "gone").error()).isEqualTo(-Errno.EBADF);
            guest.lookup(ROOT, "file").ok();
            guest.device.reset();
            guest.guest.start(Feature.VERSION_1);
            assertThat(guest.lookup(ROOT, "file").error()).isEqualTo(-Errno.ENOTCONN);
        }
    }
}
