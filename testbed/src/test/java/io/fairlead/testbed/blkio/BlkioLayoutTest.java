package io.fairlead.testbed.blkio;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Holds the hand-written layouts against libblkio's own header. */
class BlkioLayoutTest {
    private static final String PROBE = """
            #include <signal.h>
            #include <stddef.h>
            #include <stdio.h>
            #include <time.h>
            #include <blkio.h>
            int main(void) {
                printf("%zu %zu %zu %zu %zu %zu %zu\\n", sizeof(struct blkio_mem_region),
                    offsetof(struct blkio_mem_region, addr), offsetof(struct blkio_mem_region, len),
                    offsetof(struct blkio_mem_region, iova), offsetof(struct blkio_mem_region, fd_offset),
                    offsetof(struct blkio_mem_region, fd), offsetof(struct blkio_mem_region, flags));
                printf("%zu %zu %zu %zu\\n", sizeof(struct blkio_completion),
                    offsetof(struct blkio_completion, user_data), offsetof(struct blkio_completion, error_msg),
                    offsetof(struct blkio_completion, ret));
                printf("%d %d %d\\n", BLKIO_REQ_FUA, BLKIO_REQ_NO_UNMAP, BLKIO_REQ_NO_FALLBACK);
                return 0;
            }
            """;

    @TempDir
    private Path folder;

    @Test
    void structuresAreLaidOutAsInTheHeader() throws Exception {
        Path source = Files.writeString(folder.resolve("probe.c"), PROBE);
        Path program = folder.resolve("probe");
        try (Testbed testbed = Testbed.open(Progress.NONE)) {
            run("gcc", "-I", testbed.libblkio().headers().toString(), "-o", program.toString(), source.toString());
        }
        assertThat(run(program.toString()).lines())
                .containsExactly(
                        "%d %d %d %d %d %d %d"
                                .formatted(
                                        BlkioMemory.REGION_BYTES,
                                        BlkioMemory.REGION_ADDR,
                                        BlkioMemory.REGION_LEN,
                                        BlkioMemory.REGION_IOVA,
                                        BlkioMemory.REGION_FD_OFFSET,
                                        BlkioMemory.REGION_FD,
                                        BlkioMemory.REGION_FLAGS),
                        "%d %d %d %d"
                                .formatted(
                                        BlkioCompletions.BYTES,
                                        BlkioCompletions.USER_DATA,
                                        BlkioCompletions.ERROR_MSG,
                                        BlkioCompletions.RET),
                        "%d %d %d".formatted(BlkioQueue.FUA, BlkioQueue.NO_UNMAP, BlkioQueue.NO_FALLBACK));
    }

    private static String run(String... words) throws Exception {
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(output).isZero();
        return output;
    }
}
