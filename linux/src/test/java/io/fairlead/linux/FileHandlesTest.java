package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileHandlesTest {
    @TempDir
    Path folder;

    @Test
    void aHandleLeadsToTheFileUntilItIsGone() throws Exception {
        Path file = Files.writeString(folder.resolve("file"), "content");
        try (Arena arena = Arena.ofConfined();
                Fd root = FileIo.open(folder, FileIo.O_RDONLY | FileIo.O_DIRECTORY, 0)) {
            MemorySegment handle = arena.allocate(FileHandles.MAX_BYTES, Integer.BYTES);
            int error = FileHandles.nameToHandle(
                    root.raw(), arena.allocateFrom("file").address(), handle);
            Assumptions.assumeTrue(error != -Errno.EOPNOTSUPP, "a file system without handles");
            assertThat(error).isZero();
            int raw = FileHandles.open(root.raw(), handle, FileIo.O_PATH);
            Assumptions.assumeTrue(raw != -Errno.EPERM, "needs CAP_DAC_READ_SEARCH");
            MemorySegment again = arena.allocate(FileHandles.MAX_BYTES, Integer.BYTES);
            try (Fd found = Fd.adopt(raw, "found")) {
                assertThat(FileHandles.nameToHandle(
                                found.raw(), arena.allocateFrom("").address(), again))
                        .isZero();
            }
            assertThat(again.mismatch(handle)).isEqualTo(-1);
            Files.move(file, folder.resolve("renamed"));
            Fd.adopt(FileHandles.open(root.raw(), handle, FileIo.O_PATH), "found")
                    .close();
            Files.delete(folder.resolve("renamed"));
            assertThat(FileHandles.open(root.raw(), handle, FileIo.O_PATH)).isEqualTo(-Errno.ESTALE);
            assertThat(FileHandles.nameToHandle(
                            root.raw(), arena.allocateFrom("none").address(), handle))
                    .isEqualTo(-Errno.ENOENT);
        }
    }
}
