package io.fairlead.cli;

import io.fairlead.node.tls.CertificateAuthority;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code fairlead certificates}: what nodes and QEMU need to know each other. */
@Command(
        name = "certificates",
        description = "Certificates for nodes and for QEMU's migration stream.",
        mixinStandardHelpOptions = true,
        subcommands = CertificatesCommand.Create.class,
        synopsisSubcommandLabel = "COMMAND")
final class CertificatesCommand implements Runnable {
    @picocli.CommandLine.Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private picocli.CommandLine.Model.CommandSpec spec;

    @Override
    public void run() {
        throw new picocli.CommandLine.ParameterException(spec.commandLine(), "a command is missing: create");
    }

    @Command(
            name = "create",
            description =
                    "Make an authority in a folder, unless there is one, and a folder of certificates for each host.",
            mixinStandardHelpOptions = true,
            footerHeading = "%nExample:%n",
            footer = {
                "  fairlead certificates create --folder ca --host alpha.example+192.0.2.1 --host beta.example",
                "",
                "makes ca/alpha.example and ca/beta.example: copy each to its host and name it there by",
                "'fairlead node --certificates'. The layout is that of QEMU's tls-creds-x509. ca/ca-key.pem",
                "makes further certificates: keep it secret, and away from the hosts."
            })
    static final class Create implements Callable<Integer> {
        @Option(names = "--folder", required = true, paramLabel = "FOLDER", description = "The authority's folder.")
        @SuppressWarnings("NullAway.Init") // picocli sets it before call
        private Path folder;

        @Option(
                names = "--host",
                required = true,
                paramLabel = "NAME[+NAME...]",
                description = "A host, by all names and addresses that others reach it by; the first names its folder.")
        private List<String> hosts = List.of();

        @Option(
                names = "--days",
                defaultValue = "365",
                paramLabel = "N",
                description = "How long the hosts' certificates are valid. Default: ${DEFAULT-VALUE}.")
        private int days;

        @Option(
                names = "--authority-days",
                defaultValue = "3650",
                paramLabel = "N",
                description = "How long a new authority is valid. Default: ${DEFAULT-VALUE}.")
        private int authorityDays;

        @Override
        public Integer call() throws IOException {
            if (days < 1 || authorityDays < 1) {
                throw new IllegalArgumentException("--days and --authority-days: at least 1");
            }
            CertificateAuthority authority = CertificateAuthority.openOrCreate(folder, Duration.ofDays(authorityDays));
            for (String host : hosts) {
                Path made = authority.createHost(List.of(host.split("\\+", -1)), Duration.ofDays(days));
                System.out.println(made);
            }
            return 0;
        }
    }
}
