package io.fairlead.devices.fs;

import static io.fairlead.devices.fs.FuseClient.bytes;
import static io.fairlead.devices.fs.FuseClient.names;
import static io.fairlead.devices.fs.FuseClient.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.HostileRequests;
import io.fairlead.linux.Errno;
import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.FolderIo;
import io.fairlead.linux.Mapping;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest that wants out: beside the exported folder lies a secret, which it must neither read nor touch. */
class FsEscapeTest {
    private static final long ROOT = Fuse.ROOT_ID;
    private static final String SECRET = "the host's own";
    private static final List<String> BAD_NAMES =
            List.of("", ".", "..", "../secret", "sub/../../secret", "/etc/passwd", "sub/", "/", "a/b", "x".repeat(256));

    @TempDir
    Path folder;

    private Path export;
    private Map<String, String> before;

    @BeforeEach
    void layOut() throws IOException {
        export = Files.createDirectory(folder.resolve("export"));
        Files.writeString(folder.resolve("secret"), SECRET);
        Files.createDirectory(folder.resolve("outside"));
        Files.writeString(folder.resolve("outside/secret"), SECRET);
        Files.createDirectory(export.resolve("sub"));
        Files.writeString(export.resolve("sub/inside"), "inside");
        Files.createSymbolicLink(export.resolve("up"), Path.of(".."));
        Files.createSymbolicLink(export.resolve("out"), folder.resolve("outside"));
        Files.createSymbolicLink(export.resolve("file"), folder.resolve("secret"));
        Files.createSymbolicLink(export.resolve("chain"), Path.of("up"));
        Files.createSymbolicLink(export.resolve("proc"), Path.of("/proc/self/root"));
        before = outside();
    }

    /** Everything beside the export, with content and times. */
    private Map<String, String> outside() throws IOException {
        Map<String, String> found = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(folder)) {
            for (Path path : walk.filter(path -> !path.startsWith(export) && !path.equals(folder))
                    .toList()) {
                String content = Files.isRegularFile(path) ? Files.readString(path) : "";
                found.put(
                        path.toString(),
                        "%s %s %s"
                                .formatted(
                                        content,
                                        Files.getAttribute(path, "unix:ctime"),
                                        Files.getAttribute(path, "unix:mode")));
            }
        }
        return found;
    }

    private FuseClient client() throws Exception {
        return new FuseClient(export, Map.of("xattr", "all")).mount();
    }

    private void assertNothingHappened() throws IOException {
        assertThat(outside()).isEqualTo(before);
    }

    @Test
    void namesAreOneComponent() throws Exception {
        try (FuseClient guest = client()) {
            long sub = guest.lookup(ROOT, "sub").nodeId();
            for (String bad : BAD_NAMES) {
                for (long parent : new long[] {ROOT, sub}) {
                    assertThat(guest.lookup(parent, bad).error()).as(bad).isEqualTo(-Errno.EINVAL);
                    assertThat(guest.mkdir(parent, bad).error()).as(bad).isEqualTo(-Errno.EINVAL);
                    assertThat(guest.create(parent, bad, FileIo.O_RDWR).error())
                            .as(bad)
                            .isEqualTo(-Errno.EINVAL);
                    assertThat(guest.call(FuseOpcode.UNLINK, parent, names(bad), 0)
                                    .error())
                            .isEqualTo(-Errno.EINVAL);
                    assertThat(guest.call(FuseOpcode.RMDIR, parent, names(bad), 0)
                                    .error())
                            .isEqualTo(-Errno.EINVAL);
                    assertThat(guest.call(FuseOpcode.SYMLINK, parent, names(bad, "x"), FuseAttribute.EntryOut.BYTES)
                                    .error())
                            .isEqualTo(-Errno.EINVAL);
                    ByteBuffer node = with(bytes(FuseName.MknodIn.BYTES).putInt(0, 0100644), bad);
                    assertThat(guest.call(FuseOpcode.MKNOD, parent, node, FuseAttribute.EntryOut.BYTES)
                                    .error())
                            .isEqualTo(-Errno.EINVAL);
                    ByteBuffer link = with(bytes(FuseName.LinkIn.BYTES).putLong(0, sub), bad);
                    assertThat(guest.call(FuseOpcode.LINK, parent, link, FuseAttribute.EntryOut.BYTES)
                                    .error())
                            .isEqualTo(-Errno.EINVAL);
                    ByteBuffer to = with(bytes(FuseName.RenameIn.BYTES).putLong(0, sub), "inside", bad);
                    assertThat(guest.call(FuseOpcode.RENAME, sub, to, 0).error())
                            .isEqualTo(-Errno.EINVAL);
                    ByteBuffer from = with(bytes(FuseName.Rename2In.BYTES).putLong(0, ROOT), bad, "here");
                    assertThat(guest.call(FuseOpcode.RENAME2, parent, from, 0).error())
                            .isEqualTo(-Errno.EINVAL);
                }
            }
            // A name without an end, as no kernel sends it.
            ByteBuffer endless = bytes(6);
            endless.put("secret".getBytes(StandardCharsets.US_ASCII));
            assertThat(guest.call(FuseOpcode.LOOKUP, ROOT, endless, FuseAttribute.EntryOut.BYTES)
                            .error())
                    .isEqualTo(-Errno.EINVAL);
        }
        assertNothingHappened();
    }

    @ParameterizedTest
    @ValueSource(strings = {"up", "out", "file", "chain", "proc"})
    void linksAreNeverFollowed(String name) throws Exception {
        try (FuseClient guest = client()) {
            FuseClient.Reply entry = guest.lookup(ROOT, name).ok();
            assertThat(entry.getInt(FuseAttribute.EntryOut.ATTR + FuseAttribute.Attr.MODE) & FolderIo.S_IFMT)
                    .isEqualTo(FolderIo.S_IFLNK);
            long link = entry.nodeId();
            assertThat(guest.lookup(link, "secret").error()).isEqualTo(-Errno.ENOTDIR);
            assertThat(guest.mkdir(link, "new").error()).isEqualTo(-Errno.ENOTDIR);
            assertThat(guest.create(link, "new", FileIo.O_RDWR).error()).isEqualTo(-Errno.ENOTDIR);
            assertThat(guest.open(link, FileIo.O_RDWR).error()).isEqualTo(-Errno.ENXIO);
            assertThat(guest.call(FuseOpcode.OPENDIR, link, bytes(8), 16).error())
                    .isEqualTo(-Errno.ENOTDIR);
            assertThat(guest.create(ROOT, name, FileIo.O_RDWR | FileIo.O_TRUNC).error())
                    .isEqualTo(-Errno.ENXIO);
            int all = FuseFlag.FATTR_MODE | FuseFlag.FATTR_SIZE;
            for (int valid : new int[] {all, FuseFlag.FATTR_SIZE, FuseFlag.FATTR_MODE}) {
                ByteBuffer set = bytes(FuseAttribute.SetattrIn.BYTES)
                        .putInt(0, valid)
                        .putInt(FuseAttribute.SetattrIn.MODE, 0777);
                assertThat(guest.call(FuseOpcode.SETATTR, link, set, FuseAttribute.AttrOut.BYTES)
                                .error())
                        .isNegative();
            }
            ByteBuffer chown = bytes(FuseAttribute.SetattrIn.BYTES)
                    .putInt(0, FuseFlag.FATTR_UID | FuseFlag.FATTR_ATIME)
                    .putInt(FuseAttribute.SetattrIn.UID, 12345);
            guest.call(FuseOpcode.SETATTR, link, chown, FuseAttribute.AttrOut.BYTES)
                    .ok();
            ByteBuffer xattr = with(bytes(8).putInt(0, 1), "trusted.x", "1");
            FuseClient.Reply _ = guest.call(FuseOpcode.SETXATTR, link, xattr, 0);
            ByteBuffer hard = with(bytes(FuseName.LinkIn.BYTES).putLong(0, link), "hard");
            assertThat(guest.call(FuseOpcode.LINK, ROOT, hard, FuseAttribute.EntryOut.BYTES)
                            .nodeId())
                    .isEqualTo(link);
            assertThat(Files.isSymbolicLink(export.resolve("hard"))).isTrue();
        }
        assertNothingHappened();
    }

    @Test
    void aFolderThatIsMovedAwayUnderTheGuestLeadsNowhere() throws Exception {
        try (FuseClient guest = client()) {
            long sub = guest.lookup(ROOT, "sub").nodeId();
            long handle = guest.call(FuseOpcode.OPENDIR, sub, bytes(8), 16).ok().getLong(0);
            // The host itself moves it out of the export; the guest keeps what it had and gets no further up.
            Files.move(export.resolve("sub"), folder.resolve("outside/sub"));
            for (String name : List.of("..", "../secret", "secret")) {
                assertThat(guest.lookup(sub, name).error()).isNegative();
            }
            assertThat(guest.call(FuseOpcode.READDIRPLUS, sub, FuseClient.readIn(handle, 0, 4096), 4096)
                            .text())
                    .doesNotContain("secret");
            Files.move(folder.resolve("outside/sub"), export.resolve("sub"));
            // The guest moves it while it is open.
            long other = guest.mkdir(ROOT, "other").nodeId();
            ByteBuffer move = with(bytes(FuseName.RenameIn.BYTES).putLong(0, other), "sub", "deep");
            guest.call(FuseOpcode.RENAME, ROOT, move, 0).ok();
            assertThat(guest.lookup(sub, "..").error()).isEqualTo(-Errno.EINVAL);
            guest.lookup(sub, "inside").ok();
        }
        assertThat(Files.readString(folder.resolve("secret"))).isEqualTo(SECRET);
    }

    @Test
    void numbersThatWereNeverGivenMeanNothing() throws Exception {
        try (FuseClient guest = client()) {
            long sub = guest.lookup(ROOT, "sub").nodeId();
            FuseClient.Reply created = guest.create(ROOT, "own", FileIo.O_RDWR);
            long handle = FuseClient.createdHandle(created);
            long folderHandle =
                    guest.call(FuseOpcode.OPENDIR, sub, bytes(8), 16).ok().getLong(0);
            guest.forget(sub, 1);
            long[] nodes = {0, sub, sub + 1, 2, 77, -1, Long.MIN_VALUE, Long.MAX_VALUE, 0xffff_ffffL, 1L << 32 | 1};
            for (long node : nodes) {
                assertThat(guest.lookup(node, "inside").error()).isEqualTo(-Errno.ESTALE);
                assertThat(guest.open(node, 0).error()).isEqualTo(-Errno.ESTALE);
                assertThat(guest.mkdir(node, "x").error()).isEqualTo(-Errno.ESTALE);
                ByteBuffer link = with(bytes(FuseName.LinkIn.BYTES).putLong(0, node), "x");
                assertThat(guest.call(FuseOpcode.LINK, ROOT, link, FuseAttribute.EntryOut.BYTES)
                                .error())
                        .isEqualTo(-Errno.ESTALE);
                guest.forget(node, 5);
            }
            for (long wrong : new long[] {0, folderHandle, handle + 1, -1, 12, Long.MAX_VALUE, 1L << 40}) {
                assertThat(guest.read(ROOT, wrong, 0, 100).error()).isEqualTo(-Errno.EBADF);
                assertThat(guest.write(ROOT, wrong, 0, "x").error()).isEqualTo(-Errno.EBADF);
                assertThat(guest.release(FuseOpcode.RELEASE, ROOT, wrong).error())
                        .isEqualTo(-Errno.EBADF);
            }
            assertThat(guest.call(FuseOpcode.READDIR, ROOT, FuseClient.readIn(handle, 0, 4096), 4096)
                            .error())
                    .isEqualTo(-Errno.EBADF);
        }
        assertNothingHappened();
    }

    @Test
    void deviceFilesAreNeitherMadeNorOpened() throws Exception {
        try (FuseClient guest = client()) {
            for (int mode : new int[] {FolderIo.S_IFBLK | 0666, FolderIo.S_IFCHR | 0666}) {
                ByteBuffer node =
                        with(bytes(FuseName.MknodIn.BYTES).putInt(0, mode).putInt(4, 0x103), "dev");
                assertThat(guest.call(FuseOpcode.MKNOD, ROOT, node, FuseAttribute.EntryOut.BYTES)
                                .error())
                        .isEqualTo(-Errno.EPERM);
            }
            ByteBuffer pipe = with(bytes(FuseName.MknodIn.BYTES).putInt(0, FolderIo.S_IFIFO | 0600), "pipe");
            long node = guest.call(FuseOpcode.MKNOD, ROOT, pipe, FuseAttribute.EntryOut.BYTES)
                    .nodeId();
            // Would wait for a writer without end.
            assertThat(guest.open(node, FileIo.O_RDONLY).error()).isEqualTo(-Errno.ENXIO);
            assertThat(guest.create(ROOT, "pipe", FileIo.O_RDONLY).error()).isEqualTo(-Errno.ENXIO);
        }
    }

    /** Mostly a header that makes sense, of a kind that exists, for a file that does; then noise, or names with dots. */
    private static void fill(Random random, MemorySegment readable) {
        HostileRequests.noise(random, readable);
        if (readable.byteSize() < Fuse.InHeader.BYTES || random.nextInt(20) == 0) {
            return;
        }
        readable.set(FsThread.LE_INT, Fuse.InHeader.OPCODE, random.nextInt(56));
        readable.set(FsThread.LE_LONG, Fuse.InHeader.NODEID, random.nextInt(3) == 0 ? random.nextLong() : 1);
        byte[] names = "..\0../secret\0up/secret\0file\0".getBytes(StandardCharsets.US_ASCII);
        int skip = random.nextInt(3) * 8;
        for (int i = 0; i < names.length && random.nextInt(40) != 0; i++) {
            int at = Fuse.InHeader.BYTES + skip + i;
            if (at < readable.byteSize()) {
                readable.set(ValueLayout.JAVA_BYTE, at, names[i]);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {FuseClient.HIPRIO, FuseClient.REQUESTS})
    void survivesTenThousandMalformedRequests(int queue) throws Exception {
        long descriptors = Fd.openCount();
        long mappings = Mapping.openCount();
        try (EventLoopGroup loops = new EventLoopGroup(1);
                VdpaDevice device = new FsType().create("fs0", Map.of("path", export.toString(), "tag", "t"), loops)) {
            HostileRequests.Counts counts =
                    HostileRequests.send(device, queue, Feature.VERSION_1, 10_000, 17L + queue, FsEscapeTest::started);
            assertThat(counts.answered()).isPositive();
            assertThat(counts.resets()).isPositive();
        }
        assertThat(Fd.openCount()).isEqualTo(descriptors);
        assertThat(Mapping.openCount()).isEqualTo(mappings);
        assertNothingHappened();
    }

    /** As {@link #fill}, with a proper INIT now and then, so that most meet a device that serves. */
    private static void started(Random random, MemorySegment readable) {
        if (random.nextInt(10) == 0 && readable.byteSize() >= Fuse.InHeader.BYTES + Fuse.InitIn.BYTES) {
            readable.fill((byte) 0);
            readable.set(FsThread.LE_INT, Fuse.InHeader.OPCODE, FuseOpcode.INIT);
            readable.set(FsThread.LE_INT, Fuse.InHeader.BYTES, 7);
            readable.set(FsThread.LE_INT, Fuse.InHeader.BYTES + 4, 41);
            readable.set(FsThread.LE_INT, Fuse.InHeader.BYTES + Fuse.InitIn.FLAGS, -1);
        } else {
            fill(random, readable);
        }
    }
}
