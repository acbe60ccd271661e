package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Kernel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A guest under verified load moves between disks of the kernel's vDPA framework, and between these and Fairlead's own, and
 * back. All of it in an L1 host, see {@link KernelMoves}; the long ones write a table, see docs/migration-matrix.md.
 */
@Timeout(1800)
class KernelMatrixTest {
    private static final String TITLE = "Disks of the kernel";

    private static final MatrixTable TABLE = new MatrixTable("kernel-matrix.md", "MiB verified");

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @TempDir
    Path folder;

    /** A device that can neither suspend nor tell where its rings stand, on the older kernel. */
    @Test
    void movesThereAndBack() throws Exception {
        run(L1Kernel.V6_12, List.of("vp,fairlead"), false);
    }

    /** All pairs, on both kernels; each group on a host of its own. */
    static Stream<Arguments> groups() {
        List<List<String>> groups = List.of(
                List.of("sim,sim", "sim,fairlead"),
                List.of("sim,vduse"),
                List.of("sim,vp"),
                List.of("vp,vp", "vp,fairlead"),
                List.of("vp,vduse", "vduse,vduse"),
                List.of("vduse,fairlead", "fairlead,fairlead"));
        return Arrays.stream(L1Kernel.values())
                .flatMap(kernel -> groups.stream().map(group -> Arguments.of(kernel, group)));
    }

    @Tag("long")
    @ParameterizedTest
    @MethodSource("groups")
    void eachPairOfVendors(L1Kernel kernel, List<String> pairs) throws Exception {
        run(kernel, pairs, true);
    }

    private void run(L1Kernel kernel, List<String> pairs, boolean shown) throws Exception {
        try (KernelLab lab = KernelLab.start(L1, kernel, folder)) {
            List<String> rows = KernelMoves.rows(lab.moves("rows", pairs));
            assertThat(rows).hasSameSizeAs(pairs);
            assertThat(lab.complaints()).isEmpty();
            if (shown) {
                TABLE.addOnKernel(TITLE, kernel, rows);
            }
        }
    }

    /** The control: where the relay's marks go astray, the same load finds what the destination did not get. */
    @Tag("long")
    @Test
    void withoutTheRelaysMarksTheLoadFindsWhatIsLost() throws Exception {
        try (KernelLab lab = KernelLab.start(L1, L1Kernel.V7_3, folder)) {
            assertThat(lab.moves("control", List.of("sim,sim"))).containsPattern("LOST after \\d+ migrations: \\[[^]]");
        }
    }
}
