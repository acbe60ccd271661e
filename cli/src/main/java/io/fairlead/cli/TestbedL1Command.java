package io.fairlead.cli;

import io.fairlead.testbed.L1Command;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Link;
import io.fairlead.testbed.L1Spec;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code fairlead testbed l1}: a command on a host whose kernel has the vDPA framework. */
@Command(
        name = "l1",
        description = {
            "Run a command as root on a host with a kernel that has the vDPA framework: a guest of QEMU (\"L1\") that sees"
                    + " this machine's files at their own paths. What it writes elsewhere than in its working folder is"
                    + " gone when it ends.",
            "The modules vdpa_sim_net, vdpa_sim_blk and vp_vdpa are built for it once, and vdpa, fio and other programs"
                    + " are on its PATH."
        },
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  fairlead testbed l1 -- 'modprobe vdpa_sim_blk && vdpa mgmtdev show'"})
final class TestbedL1Command implements Callable<Integer> {
    private static final Duration POLL = Duration.ofMillis(100);

    @Option(
            names = "--kernel",
            paramLabel = "VERSION",
            defaultValue = "6.12",
            converter = KernelConverter.class,
            description = "6.12 or 7.3; by default ${DEFAULT-VALUE}.")
    @SuppressWarnings("NullAway.Init") // picocli sets it before call
    private L1Kernel kernel;

    @Option(
            names = "--memory-mib",
            paramLabel = "N",
            defaultValue = "3072",
            description = "Its memory; by default ${DEFAULT-VALUE} MiB.")
    private int memoryMib;

    @Option(names = "--processors", paramLabel = "N", defaultValue = "2", description = "By default ${DEFAULT-VALUE}.")
    private int processors;

    @Option(
            names = "--vdpa-parent",
            paramLabel = "DEVICE",
            description = "A virtio PCI device of the outer QEMU, with its options, for vp_vdpa in the host, such as"
                    + " virtio-rng-pci; behind an IOMMU. As often as wanted.")
    private List<String> parents = List.of();

    @Option(
            names = "--qemu-argument",
            paramLabel = "WORD",
            description = "A further argument of the outer QEMU, as often as wanted; before the --vdpa-parent devices.")
    private List<String> arguments = List.of();

    @Option(
            names = "--link",
            paramLabel = "1:SOCKET|2:SOCKET",
            converter = LinkConverter.class,
            description =
                    "One end of a cable to another such host, which has the other number and the same socket: a card"
                            + " link0 in each, with the addresses 192.168.76.1 and 192.168.76.2.")
    private @Nullable L1Link link;

    @Option(
            names = "--timeout-seconds",
            paramLabel = "N",
            defaultValue = "3600",
            description = "The longest that the command may run; by default ${DEFAULT-VALUE}.")
    private long timeoutSeconds;

    @Parameters(paramLabel = "COMMAND", arity = "1..*", description = "A shell's command line.")
    private List<String> words = List.of();

    @Override
    public Integer call() throws IOException, InterruptedException {
        L1Spec spec = L1Spec.of(kernel).memoryMib(memoryMib).processors(processors);
        if (!parents.isEmpty()) {
            spec.iommu();
        }
        if (link != null) {
            spec.link(link);
        }
        spec.arguments(arguments.toArray(String[]::new));
        parents.forEach(spec::vdpaParent);
        try (Testbed testbed = Testbed.open(Progress.toStandardError());
                L1Host host = testbed.start(spec)) {
            L1Command command =
                    host.start("cd " + quoted(Path.of("").toAbsolutePath()) + "\n" + String.join(" ", words));
            AtomicBoolean ended = new AtomicBoolean();
            Thread output = Thread.startVirtualThread(() -> follow(command.outputFile(), System.out, ended));
            Thread errors = Thread.startVirtualThread(() -> follow(command.errorFile(), System.err, ended));
            try {
                return command.awaitExit(Duration.ofSeconds(timeoutSeconds));
            } finally {
                ended.set(true);
                output.join();
                errors.join();
            }
        }
    }

    /** Prints what is written to a file until the writer has ended and all is read. */
    private static void follow(Path file, OutputStream target, AtomicBoolean ended) {
        long position = 0;
        try {
            boolean last;
            do {
                last = ended.get();
                position += copy(file, position, target);
                Thread.sleep(POLL);
            } while (!last);
        } catch (IOException e) {
            System.err.println("Cannot follow the command's output: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static long copy(Path file, long position, OutputStream target) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            in.skipNBytes(position);
            long count = in.transferTo(target);
            target.flush();
            return count;
        } catch (NoSuchFileException e) {
            return 0;
        }
    }

    private static String quoted(Path path) {
        return "'" + path.toString().replace("'", "'\\''") + "'";
    }

    static final class KernelConverter implements ITypeConverter<L1Kernel> {
        @Override
        public L1Kernel convert(String value) {
            return L1Kernel.of(value);
        }
    }

    static final class LinkConverter implements ITypeConverter<L1Link> {
        @Override
        public L1Link convert(String value) {
            return L1Link.parse(value);
        }
    }
}
