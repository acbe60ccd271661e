package io.fairlead.bench.blk;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.blkio.BlkioLibrary;
import io.fairlead.testbed.blkio.StorageDaemon;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiskCheckTest {
    private static final int BYTES = 1 << 20;

    @TempDir
    private Path folder;

    @Test
    void findsAServerThatServesSomethingElse() throws Exception {
        try (Testbed testbed = Testbed.open(Progress.NONE);
                DataFile file = DataFile.create(folder, BYTES)) {
            BlkioLibrary library = BlkioLibrary.load(testbed.libblkio().library());
            List<String> command = testbed.storageDaemon();
            try (DiskServer right = serve(command, file.path())) {
                assertThatCode(() -> DiskCheck.check(library, right, file)).doesNotThrowAnyException();
            }
            Path other = Files.write(folder.resolve("other.raw"), new byte[BYTES]);
            try (DiskServer wrong = serve(command, other)) {
                assertThatThrownBy(() -> DiskCheck.check(library, wrong, file))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("a block was not written to the file");
            }
        }
    }

    private DiskServer serve(List<String> command, Path file) throws IOException {
        Path socket = folder.resolve("check.sock");
        StorageDaemon daemon = StorageDaemon.start(StorageDaemon.Spec.of(command, file, socket));
        return new DiskServer(DiskServer.Kind.QSD_IO_URING, daemon.pid(), file, daemon.sockets(), daemon);
    }
}
