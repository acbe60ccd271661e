package io.fairlead.systemtests;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Spec;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * L1 hosts for tests, to be registered as a static extension: one a kernel, started when it is first asked for, shared by
 * all test classes of a run and ended with it. Where what they are made of is not in the cache, tests are skipped and say
 * so: it takes longer than a test should. A test leaves a shared host as it found it.
 */
final class L1Lab implements BeforeAllCallback {
    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(L1Lab.class);
    private static final String NOT_THERE =
            " is not in the cache: run ./fairlead testbed fetch, which builds it once, in a quarter of an hour";

    private static final String UNLOAD = """
            for module in vp_vdpa vhost_vdpa virtio_vdpa vduse vdpa_sim_net vdpa_sim_blk vdpa_sim vdpa; do
                [ ! -e /sys/module/$module ] || rmmod $module || exit 1
            done
            """;

    private ExtensionContext.@Nullable Store store;

    @Override
    public void beforeAll(ExtensionContext context) {
        store = context.getRoot().getStore(NAMESPACE);
    }

    /**
     * The host that all tests share: what the kernel itself can make, and for vp_vdpa, behind an IOMMU, a virtio rng. Of the
     * vDPA framework nothing is loaded: which bus driver gets a new device depends on which was loaded first.
     */
    L1Host shared(L1Kernel kernel) {
        assumeReady(kernel);
        ExtensionContext.Store hosts = store;
        if (hosts == null) {
            throw new IllegalStateException("L1Lab is not registered as an extension");
        }
        L1Host host = hosts.computeIfAbsent(
                        kernel,
                        _ -> new Held(start(L1Spec.of(kernel).iommu().vdpaParent("virtio-rng-pci"))),
                        Held.class)
                .host();
        try {
            String _ = host.run(UNLOAD, Lab.PATIENCE);
            return host;
        } catch (IOException e) {
            throw new AssertionError("a test before left something in the L1 host that all share", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while an L1 host was made ready", e);
        }
    }

    /** A host of the test's own, which the test closes. */
    L1Host own(L1Spec spec, L1Kernel kernel) {
        assumeReady(kernel);
        return start(spec);
    }

    /** For tests that start guests inside an L1 host. */
    static void assumeL2() throws IOException {
        assumeTrue(Lab.TESTBED.hasL2(), "the kernel of L2 guests" + NOT_THERE);
    }

    static void assumeReady(L1Kernel kernel) {
        try {
            assumeTrue(Lab.TESTBED.hasL1(kernel), "what hosts with Linux " + kernel + " are made of" + NOT_THERE);
        } catch (IOException e) {
            throw new AssertionError("the test-bed's cache cannot be read", e);
        }
    }

    private static L1Host start(L1Spec spec) {
        try {
            L1Host host = Lab.TESTBED.start(spec);
            writeProgram(host, "fairlead", "io.fairlead.cli.Main");
            return host;
        } catch (IOException e) {
            throw new AssertionError("an L1 host does not start", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while an L1 host started", e);
        }
    }

    /** Makes a class with a main method, of this project or its tests, a program on the host's PATH. */
    static void writeProgram(L1Host host, String name, String mainClass) throws IOException {
        L1Programs.write(host, name, mainClass);
    }

    private record Held(L1Host host) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            host.close();
        }
    }
}
