package io.fairlead.cli;

import io.fairlead.qemu.Accelerator;
import io.fairlead.testbed.GuestKernel;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import io.fairlead.testbed.TestbedOptions;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of every command that starts guests. */
final class TestbedMixin {
    @Option(names = "--qemu", paramLabel = "PROGRAM", description = "A qemu-system-x86_64 of your own.")
    private @Nullable Path qemu;

    @Option(
            names = "--qemu-release",
            defaultValue = "V11",
            paramLabel = "V10|V11",
            description = "Which fetched QEMU: V10 (10.0) or V11 (11.1). Default: ${DEFAULT-VALUE}.")
    private QemuRelease release = QemuRelease.V11;

    @Option(names = "--kernel", paramLabel = "VMLINUZ", description = "A guest kernel of your own.")
    private @Nullable Path kernel;

    @Option(
            names = "--kernel-root",
            defaultValue = "/",
            paramLabel = "FOLDER",
            description = "The folder in which --kernel has its lib/modules. Default: ${DEFAULT-VALUE}")
    private Path kernelRoot = Path.of("/");

    @Option(
            names = "--accel",
            paramLabel = "kvm|tcg",
            description = "By default KVM where a guest really starts under it (probed once), else TCG.")
    private @Nullable Accelerator accelerator;

    QemuRelease release() {
        return release;
    }

    Testbed open(Progress progress) throws IOException {
        TestbedOptions options = TestbedOptions.ofEnvironment();
        if (qemu != null) {
            options = options.withQemu(qemu);
        }
        if (kernel != null) {
            options = options.withKernel(GuestKernel.ofImage(kernel, kernelRoot));
        }
        if (accelerator != null) {
            options = options.withAccelerator(accelerator);
        }
        return Testbed.open(progress, options);
    }
}
