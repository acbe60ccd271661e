package io.fairlead.cli;

import io.fairlead.cli.demo.Demo;
import io.fairlead.cli.demo.DemoOptions;
import io.fairlead.cli.demo.DemoReport;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code fairlead demo}: the main job, shown and checked. */
@Command(
        name = "demo",
        description =
                "Boot a stock Linux guest on stock QEMU from Fairlead disks, move it under load to another host and"
                        + " another vendor's disks and back, verify every byte.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The first run fetches QEMU, a guest kernel and a small user land into the cache folder.",
            "Exit code 0 only if every check held."
        })
final class DemoCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private TestbedMixin testbed;

    @Option(
            names = "--boot",
            defaultValue = "bios",
            paramLabel = "bios|uefi|kernel",
            description = "What reads the disk first: SeaBIOS, UEFI, or the kernel itself. Default: ${DEFAULT-VALUE}.")
    private GuestSpec.Boot boot = GuestSpec.Boot.BIOS;

    @Option(
            names = "--work",
            paramLabel = "FOLDER",
            description = "Where images, sockets and logs are made and kept; by default a temporary folder of which"
                    + " the serial log is kept.")
    private @Nullable Path work;

    @Option(names = "--json", paramLabel = "FILE", description = "Write the report to a file as JSON, too.")
    private @Nullable Path json;

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (boot == GuestSpec.Boot.DISKLESS) {
            throw new IllegalArgumentException("--boot: the demo boots from a disk: bios, uefi or kernel");
        }
        try (Testbed bed = testbed.open(Progress.toStandardError())) {
            DemoReport report = new Demo(bed, new DemoOptions(testbed.release(), boot, work), System.err).run();
            System.out.print(report.text());
            System.out.flush();
            if (json != null) {
                Files.writeString(json, report.json());
            }
            return report.held() ? 0 : ExitCodes.FAILED;
        }
    }
}
