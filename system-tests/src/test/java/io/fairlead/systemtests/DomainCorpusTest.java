package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.command.VdpaAttachment;
import io.fairlead.qemu.domain.format.DomainXml;
import io.fairlead.qemu.domain.lower.Lowering;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** libvirt's own documents are read or refused with a reason, and libvirt's own schema takes what is printed. */
@Timeout(600)
class DomainCorpusTest {
    /** The schema wants this element before another one of the device; what is kept comes at the end. */
    private static final Set<String> OTHER_ORDER =
            Set.of("net-virtio-teaming-hostdev.xml", "net-virtio-teaming-hostdev.x86_64-latest.xml");

    private static final int ARGUMENTS_AT_ONCE = 500;

    @Test
    void libvirtsTestDataIsReadOrRefused(@TempDir Path folder) throws Exception {
        Path corpus = Lab.TESTBED.libvirtDomains();
        Map<String, Integer> reasons = new TreeMap<>();
        Map<String, Integer> unplaced = new TreeMap<>();
        List<Path> printed = new ArrayList<>();
        int refused = 0;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(corpus, "*.xml")) {
            for (Path file : files) {
                byte[] document = Files.readAllBytes(file);
                Domain domain;
                try {
                    domain = DomainXml.parse(document).domain();
                } catch (DomainException e) {
                    assertThat(e.line()).as(file.toString()).isPositive();
                    assertThat(e.remedy()).as(file.toString()).isNotBlank();
                    reasons.merge(e.path().replaceAll("\\[[0-9]+]", ""), 1, Integer::sum);
                    refused++;
                    continue;
                }
                String text = DomainXml.print(domain);
                assertThat(DomainXml.parse(text).domain()).as(file.toString()).isEqualTo(domain);
                printed.add(Files.writeString(folder.resolve(String.valueOf(file.getFileName())), text));
                try {
                    Domain planned = DomainPlan.complete(domain, 0).domain();
                    assertThat(DomainPlan.complete(planned, 0).domain())
                            .as(file.toString())
                            .isEqualTo(planned);
                } catch (DomainException e) {
                    unplaced.merge(
                            e.reason().replaceAll("model \\S+|[0-9a-f]{4}:[0-9a-f:]+\\.[0-9]|[0-9]+", "N"),
                            1,
                            Integer::sum);
                }
            }
        }
        Lab.report("%d documents of libvirt's: %d read, %d refused", printed.size() + refused, printed.size(), refused);
        reasons.forEach((path, count) -> Lab.report("  refused for %s: %d", path, count));
        unplaced.forEach((reason, count) -> Lab.report("  read, but no machine: %s: %d", reason, count));
        assertThat(printed).hasSizeGreaterThan(1000);
        assertThat(unplaced.values().stream().mapToInt(count -> count).sum())
                .as("read, but no machine")
                .isLessThan(printed.size() / 5);
        // libvirt's wrong documents are wrong after printing, too.
        Set<String> wrong = invalid(printed);
        Set<String> wrongBefore =
                invalid(wrong.stream().map(name -> corpus.resolve(name)).toList());
        Set<String> ours = new TreeSet<>(wrong);
        ours.removeAll(wrongBefore);
        ours.removeAll(OTHER_ORDER);
        assertThat(ours).isEmpty();
    }

    @Test
    void libvirtTakesWhatIsLowered(@TempDir Path folder) throws Exception {
        String document = """
                <domain type='kvm'>
                  <name>lowered</name>
                  <memory unit='MiB'>256</memory>
                  <os><type machine='q35'>hvm</type></os>
                  <features><acpi/></features>
                  <devices>
                    <disk type='generic-vdpa'><source dev='blk'/><target dev='vda'/><alias name='ua-0'/><boot order='1'/></disk>
                    <interface type='generic-vdpa'><source dev='net'/><alias name='ua-1'/></interface>
                    <hostdev mode='subsystem' type='vdpa'><source dev='blk'/><alias name='ua-2'/></hostdev>
                    <hostdev mode='subsystem' type='vdpa'><source dev='fs'/><alias name='ua-3'/></hostdev>
                    <hostdev mode='subsystem' type='vdpa'><source dev='scsi'/><alias name='ua-4'/></hostdev>
                    <hostdev mode='subsystem' type='vdpa'><source dev='/dev/vhost-vdpa-0'/><alias name='ua-5'/></hostdev>
                    <hostdev mode='subsystem' type='pci' managed='yes'><driver name='vdpa'/>
                      <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x1'/></source><alias name='ua-6'/></hostdev>
                  </devices>
                </domain>
                """;
        Path socket = Path.of("/run/fairlead/x.sock");
        Map<String, VdpaAttachment> resolved = Map.of(
                "ua-0", new VdpaAttachment.Shared(VhostUserDevice.blk("ua-0", socket)),
                "ua-1", new VdpaAttachment.Shared(VhostUserDevice.net("ua-1", socket)),
                "ua-2", new VdpaAttachment.Shared(VhostUserDevice.blk("ua-2", socket)),
                "ua-3", new VdpaAttachment.Shared(VhostUserDevice.fs("ua-3", socket, "tag")),
                "ua-4", new VdpaAttachment.Shared(VhostUserDevice.scsi("ua-4", socket)),
                "ua-5", new VdpaAttachment.Direct(DirectVdpaDevice.of("ua-5", Path.of("/dev/vhost-vdpa-0"))),
                "ua-6",
                        new VdpaAttachment.Shared(
                                VhostUserDevice.net("ua-6", socket).withReconnectMillis(1000)));
        Domain planned = DomainPlan.complete(DomainXml.parse(document).domain(), DomainPlan.SPARE_PORTS)
                .domain();
        Domain lowered =
                Lowering.lower(planned, new QemuVersion(10, 0, 0), resolved).domain();
        Path raised = Files.writeString(folder.resolve("raised.xml"), DomainXml.print(planned));
        Path file = Files.writeString(folder.resolve("lowered.xml"), DomainXml.print(lowered));
        // The schema sees the difference.
        assertThat(invalid(List.of(raised, file))).containsExactly("raised.xml");
    }

    /** The names of those that libvirt's schema does not take. */
    private static Set<String> invalid(List<Path> files) throws IOException, InterruptedException {
        Set<String> found = new TreeSet<>();
        for (int i = 0; i < files.size(); i += ARGUMENTS_AT_ONCE) {
            List<Path> part = files.subList(i, Math.min(files.size(), i + ARGUMENTS_AT_ONCE));
            List<String> command = new ArrayList<>(Lab.TESTBED.xmllint());
            Collections.addAll(
                    command,
                    "--noout",
                    "--relaxng",
                    Lab.TESTBED.libvirtDomainSchema().toString());
            part.forEach(file -> command.add(file.toString()));
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor()).as(output).isIn(0, 3);
            for (Path file : part) {
                boolean valid = output.contains(file + " validates\n");
                assertThat(valid ^ output.contains(file + " fails to validate\n"))
                        .as(file.toString())
                        .isTrue();
                if (!valid) {
                    found.add(String.valueOf(file.getFileName()));
                }
            }
        }
        return found;
    }
}
