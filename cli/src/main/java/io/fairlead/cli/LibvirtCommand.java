package io.fairlead.cli;

import io.fairlead.cli.libvirt.DaemonInventory;
import io.fairlead.cli.libvirt.KnownDevice;
import io.fairlead.cli.libvirt.LibvirtDocument;
import io.fairlead.cli.libvirt.LibvirtHook;
import io.fairlead.daemon.client.ApiClient;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.xml.XmlParser;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code fairlead libvirt}: Fairlead's devices in machines that stock libvirt runs. */
@Command(
        name = "libvirt",
        description = "Fairlead's devices in machines of stock libvirt: lower, hook.",
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND",
        footer = {"", "A session stands in docs/libvirt.md."})
final class LibvirtCommand implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(LibvirtCommand.class);

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: lower or hook");
    }

    @Command(
            name = "lower",
            description = {
                "Print a machine's document as stock libvirt 11 takes it: vDPA devices become vhost-user disks, network"
                        + " cards and file systems, or arguments for QEMU.",
                "What the user should know goes to standard error, or with --json into the answer."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  fairlead libvirt lower vm0.xml --device disk0=blk --device share=fs,tag=data > vm0-libvirt.xml")
    int lower(
            @Parameters(paramLabel = "DOMAIN.xml", description = "The document; - for standard input.") Path file,
            @Option(
                            names = "--device",
                            paramLabel = "NAME=TYPE,...",
                            description = {
                                "What a device is, by what the document calls it (a name, a path, a PCI function): "
                                        + KnownDevice.FORM
                                        + ". Others are looked up at this host's daemon."
                            })
                    @Nullable
                    List<String> devices,
            @Option(
                            names = "--sockets",
                            paramLabel = "FOLDER",
                            defaultValue = "/run/fairlead",
                            description = "Where devices are served, as NAME.sock. Default: ${DEFAULT-VALUE}.")
                    Path sockets,
            @Mixin DaemonMixin daemon)
            throws IOException {
        Map<String, KnownDevice> known = new HashMap<>();
        for (String text : devices == null ? List.<String>of() : devices) {
            KnownDevice device = KnownDevice.parse(text, sockets);
            if (known.putIfAbsent(device.key(), device) != null) {
                throw new IllegalArgumentException("device %s is given twice".formatted(device.key()));
            }
        }
        LibvirtDocument lowered;
        try {
            lowered = LibvirtDocument.of(read(file), key -> {
                KnownDevice said = known.get(key);
                return said == null ? ask(daemon).known(key) : said;
            });
        } catch (DomainException e) {
            throw new IOException("%s: %s".formatted(file, e.getMessage()), e);
        }
        if (daemon.json()) {
            ObjectNode node = new JsonMapper().createObjectNode().put("xml", lowered.xml());
            var list = node.putArray("notices");
            lowered.notices()
                    .forEach(notice -> list.addObject()
                            .put("line", notice.line())
                            .put("place", notice.path())
                            .put("meaning", notice.meaning()));
            System.out.println(node);
        } else {
            lowered.notices().forEach(notice -> System.err.println("fairlead: " + notice));
            System.out.print(lowered.xml());
        }
        return 0;
    }

    /** The devices of the daemon, or none where no daemon is there. */
    private static DaemonInventory ask(DaemonMixin daemon) {
        try (ApiClient client = daemon.open()) {
            return DaemonInventory.of(client);
        } catch (IOException e) {
            LOG.debug("no daemon is asked: {}", e.getMessage());
            return DaemonInventory.NONE;
        }
    }

    /** All of it, and no more than shows that it is too large. */
    private static byte[] read(Path file) throws IOException {
        if (file.toString().equals("-")) {
            return System.in.readNBytes(XmlParser.MAX_BYTES + 1);
        }
        try (InputStream in = Files.newInputStream(file)) {
            return in.readNBytes(XmlParser.MAX_BYTES + 1);
        }
    }

    @Command(
            name = "hook",
            description = {
                "What libvirt calls before it starts a machine: the machine's document comes by standard input, and the"
                        + " start is refused where one of its devices is not served or in use.",
                "With --install: writes the script for it."
            },
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = "  fairlead libvirt hook --install " + LibvirtHook.FOLDER)
    int hook(
            @Parameters(index = "0", arity = "0..1", paramLabel = "DOMAIN", description = "The machine's name.")
                    @Nullable
                    String domain,
            @Parameters(index = "1", arity = "0..1", paramLabel = "OPERATION", description = "Such as prepare.")
                    @Nullable
                    String operation,
            @Parameters(index = "2..*", arity = "0..*", paramLabel = "MORE", description = "Not looked at.") @Nullable
                    List<String> more,
            @Option(names = "--install", paramLabel = "FOLDER", description = "Where libvirt looks for hooks.")
                    @Nullable
                    Path folder,
            @Option(
                            names = "--program",
                            paramLabel = "PATH",
                            description = "The fairlead command that the hook calls. Default: this one.")
                    @Nullable
                    Path program,
            @Mixin DaemonMixin daemon)
            throws IOException {
        if (folder != null) {
            System.out.println(LibvirtHook.install(folder, program != null ? program : ownProgram(), daemon.address()));
            return 0;
        }
        if (domain == null || operation == null) {
            throw new ParameterException(
                    spec.commandLine().getSubcommands().get("hook"), "DOMAIN and OPERATION, or --install, are missing");
        }
        LibvirtHook.run(domain, operation, System.in, () -> ask(daemon));
        return 0;
    }

    private static Path ownProgram() {
        String checkout = System.getProperty("fairlead.root");
        return checkout == null ? Path.of("/usr/bin/fairlead") : Path.of(checkout, "fairlead");
    }
}
