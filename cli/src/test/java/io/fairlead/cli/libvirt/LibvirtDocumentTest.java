package io.fairlead.cli.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.qemu.domain.DomainException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LibvirtDocumentTest {
    private static final Path SOCKETS = Path.of("/run/fairlead");
    private static final String DOMAIN = """
            <domain type='kvm'>
              <name>vm0</name><memory unit='MiB'>256</memory>
              <os><type machine='q35'>hvm</type></os><features><acpi/></features>
              <devices>
                <disk type='generic-vdpa'><source dev='disk0'/><target dev='vda'/><alias name='ua-d'/></disk>
                <hostdev mode='subsystem' type='vdpa'><source dev='share0'/><alias name='ua-f'/></hostdev>
                <hostdev mode='subsystem' type='vdpa'><source dev='scsi0'/><alias name='ua-s'/></hostdev>
              </devices>
            </domain>
            """;
    private static final Map<String, KnownDevice> KNOWN = Map.of(
            "disk0", KnownDevice.parse("disk0=blk", SOCKETS),
            "share0", KnownDevice.parse("share0=fs,tag=data", SOCKETS),
            "scsi0", KnownDevice.parse("scsi0=scsi,socket=/tmp/s.sock,queues=2", SOCKETS));

    private static byte[] bytes(String document) {
        return document.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void theHookFindsInTheDocumentWhatWasLowered() throws Exception {
        LibvirtDocument document = LibvirtDocument.of(bytes(DOMAIN), KNOWN::get);
        assertThat(document.xml())
                .contains("type='vhostuser'", "path='/run/fairlead/disk0.sock'", "dir='data'")
                .contains("num_queues", "/tmp/s.sock")
                .doesNotContain("type='vdpa'", "generic-vdpa");
        assertThat(document.notices()).anyMatch(notice -> notice.meaning().contains("QEMU's arguments"));
        assertThat(LoweredDevice.in(bytes(document.xml())))
                .containsExactly(
                        new LoweredDevice("ua-d", "disk0", "/run/fairlead/disk0.sock"),
                        new LoweredDevice("ua-f", "share0", "/run/fairlead/share0.sock"),
                        new LoweredDevice("ua-s", "scsi0", "/tmp/s.sock"));
        assertThat(LoweredDevice.in(bytes(DOMAIN))).isEmpty();
    }

    @Test
    void whatADeviceIsHasToBeKnown() {
        assertThatThrownBy(() -> LibvirtDocument.of(bytes(DOMAIN), name -> null))
                .isInstanceOf(DomainException.class)
                .hasMessageContaining("it is not known what the device disk0 is")
                .hasMessageContaining("--device disk0=TYPE");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "disk0",
                "=blk",
                "disk0=",
                "disk0=nothing",
                "disk0=blk,queues=0",
                "disk0=blk,queues=1025",
                "disk0=blk,queues=x",
                "disk0=blk,colour=red",
                "a,b=blk"
            })
    void aWrongDeviceIsRefused(String text) {
        assertThatThrownBy(() -> KnownDevice.parse(text, SOCKETS)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aTypeThatQemuHasNoDeviceForIsRefused() {
        KnownDevice console = KnownDevice.parse("c=console", SOCKETS);
        assertThatThrownBy(() -> console.model("c")).hasMessageContaining("QEMU has no device of its own");
    }
}
