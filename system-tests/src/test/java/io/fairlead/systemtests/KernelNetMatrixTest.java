package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Kernel;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A guest under traffic moves between network cards of the kernel's vDPA framework, and between these and Fairlead's own, and
 * back, in an L1 host, see {@link KernelNetMoves}. Writes a table, see docs/migration-matrix.md.
 */
@Tag("long")
@Timeout(1800)
class KernelNetMatrixTest {
    private static final MatrixTable TABLE = new MatrixTable("kernel-net-matrix.md", "verified");

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    /** All pairs, on both kernels; each group on a host of its own. */
    static Stream<Arguments> groups() {
        List<List<String>> groups = List.of(
                List.of("sim,sim", "sim,fairlead"),
                List.of("sim,vp", "vp,vp"),
                List.of("vp,fairlead", "fairlead,fairlead"));
        return Arrays.stream(L1Kernel.values())
                .flatMap(kernel -> groups.stream().map(group -> Arguments.of(kernel, group)));
    }

    @ParameterizedTest
    @MethodSource("groups")
    void eachPairOfVendors(L1Kernel kernel, List<String> pairs) throws Exception {
        try (KernelNetLab lab = KernelNetLab.start(L1, kernel)) {
            List<String> rows = KernelMoves.rows(lab.moves(pairs));
            assertThat(rows).hasSameSizeAs(pairs);
            assertThat(lab.complaints()).isEmpty();
            TABLE.addOnKernel("Network cards of the kernel", kernel, rows);
        }
    }
}
