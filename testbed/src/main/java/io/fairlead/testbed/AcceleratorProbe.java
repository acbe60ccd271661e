package io.fairlead.testbed;

import io.fairlead.qemu.Accelerator;
import io.fairlead.qemu.Machine;
import io.fairlead.qemu.MachineSpec;
import io.fairlead.qemu.QemuBinary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Finds out whether guests start under KVM here. That /dev/kvm exists proves nothing: nested hypervisors offer it and
 * then stop at the guest's first instructions. So a kernel is started, once, and the answer kept for this QEMU, host
 * kernel and processor.
 */
final class AcceleratorProbe {
    private static final Path DEVICE = Path.of("/dev/kvm");
    private static final Duration START_TIMEOUT = Duration.ofSeconds(10);
    private static final Pattern SIGN_OF_LIFE = Pattern.compile("fairlead-probe-reached-user-space");

    private final Cache cache;
    private final Progress progress;

    AcceleratorProbe(Cache cache, Progress progress) {
        this.cache = cache;
        this.progress = progress;
    }

    Accelerator choose(QemuBinary qemu, GuestKernel kernel, Path initramfs) throws IOException {
        if (!Files.isReadable(DEVICE) || !Files.isWritable(DEVICE)) {
            return Accelerator.TCG;
        }
        String key = PackageSet.digest(qemu + "\n" + hostKernel() + "\n" + processor() + "\n" + kernel.version());
        Path answer = cache.resolve("accelerators").resolve(key.substring(0, 16));
        if (!Files.exists(answer)) {
            progress.step("Trying whether guests start under KVM");
            Accelerator found = startsUnderKvm(qemu, kernel, initramfs) ? Accelerator.KVM : Accelerator.TCG;
            Files.createDirectories(answer.getParent());
            Cache.writeAtomically(answer, found.name() + "\n");
        }
        return Accelerator.valueOf(Files.readString(answer).strip());
    }

    private static boolean startsUnderKvm(QemuBinary qemu, GuestKernel kernel, Path initramfs) throws IOException {
        Path folder = Files.createTempDirectory("fairlead-probe");
        MachineSpec spec = MachineSpec.builder()
                .name("probe")
                .accelerator(Accelerator.KVM)
                .memoryMib(256)
                .kernel(
                        kernel.image(),
                        initramfs,
                        "console=ttyS0 panic=-1 rdinit=/bin/busybox -- echo " + SIGN_OF_LIFE.pattern())
                .build();
        try (Machine machine = Machine.start(qemu, spec, folder)) {
            Optional<String> line = machine.console().awaitLine(SIGN_OF_LIFE, START_TIMEOUT);
            return line.isPresent();
        } catch (IOException e) {
            // QEMU itself gave up under KVM: that is the answer.
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("Interrupted while trying KVM", e);
        } finally {
            Cache.deleteTree(folder);
        }
    }

    private static String hostKernel() throws IOException {
        return Files.readString(Path.of("/proc/version")).strip();
    }

    private static String processor() throws IOException {
        return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("model name") || line.startsWith("vendor_id"))
                .findFirst()
                .orElse("unknown");
    }
}
