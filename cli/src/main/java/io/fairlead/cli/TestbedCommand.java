package io.fairlead.cli;

import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.QemuRelease;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code fairlead testbed}: what tests, demo and benchmarks fetch. */
@Command(
        name = "testbed",
        description = "Fetch what tests, demo and benchmarks need: QEMU, a guest kernel, a user land, peers.",
        mixinStandardHelpOptions = true,
        subcommands = TestbedL1Command.class,
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "",
            "Everything goes into a cache folder ($FAIRLEAD_CACHE, else $XDG_CACHE_HOME/fairlead, else",
            "~/.cache/fairlead); the system stays as it is. Packages come from the mirror that apt uses here."
        })
final class TestbedCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: fetch, qemu, guest, l1");
    }

    @Command(
            name = "qemu",
            description = "Print a program that is the test-bed's QEMU, for 'qemu' in the daemon's configuration.",
            mixinStandardHelpOptions = true)
    int qemu() throws IOException {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            System.out.println(testbed.qemuProgram(QemuRelease.V11));
        }
        return 0;
    }

    @Command(
            name = "guest",
            description = {
                "Print a machine's document with the test-bed's guest, a small Linux: root logs in at its console without a"
                        + " password, and it shuts down when it is asked to.",
                "Its devices are the daemon's that are named here."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  fairlead testbed guest vm0 disk0 nic0 > vm0.xml && fairlead vm define vm0.xml")
    int guest(
            @Parameters(index = "0", paramLabel = "NAME", description = "The machine's.") String name,
            @Parameters(index = "1..*", paramLabel = "DEVICE", description = "A vDPA device of the daemon.") @Nullable
                    List<String> devices)
            throws IOException {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            System.out.print(GuestDocument.of(
                    name, testbed.kernel().image(), testbed.initramfs(), devices == null ? List.of() : devices));
        }
        return 0;
    }

    @Command(
            name = "fetch",
            description = "Fetch and make all of it now; what is there already is kept.",
            mixinStandardHelpOptions = true)
    int fetch() throws IOException {
        try (Testbed testbed = Testbed.open(Progress.toStandardError())) {
            for (QemuRelease release : QemuRelease.values()) {
                testbed.prepare(release);
                System.out.printf(
                        "QEMU %s, accelerator %s%n", testbed.qemu(release).version(), testbed.accelerator(release));
            }
            System.out.println("kernel " + testbed.kernel().version());
            System.out.println("root image " + testbed.rootImage());
            for (L1Kernel kernel : L1Kernel.values()) {
                System.out.println("kernel of L1 hosts " + testbed.prepareL1(kernel));
            }
            try (Testbed inner = testbed.forL2Guests()) {
                System.out.println(
                        "kernel of guests inside them " + inner.kernel().version());
            }
            System.out.println("libblkio " + testbed.libblkio().library());
            System.out.println("qemu-storage-daemon " + testbed.storageDaemon().getLast());
            System.out.println("cache " + testbed.cacheDirectory());
        }
        return 0;
    }
}
