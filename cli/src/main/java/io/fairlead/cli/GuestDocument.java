package io.fairlead.cli;

import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.format.DomainXml;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** A machine's document with a guest of the test-bed. */
final class GuestDocument {
    private GuestDocument() {}

    /**
     * @param kernel and initramfs of the guest
     * @param devices names of vDPA devices
     * @throws IllegalArgumentException where a name cannot be one
     */
    static String of(String name, Path kernel, Path initramfs, List<String> devices) {
        for (String word : devices) {
            if (!Domain.isName(word) || !Domain.isName(name)) {
                throw new IllegalArgumentException("'%s' and '%s': one of them is no name".formatted(name, word));
            }
        }
        String document = """
                <domain type='qemu'>
                  <name>%s</name>
                  <memory unit='MiB'>256</memory>
                  <vcpu>1</vcpu>
                  <cpu mode='maximum'><feature policy='disable' name='la57'/></cpu>
                  <os>
                    <type arch='x86_64' machine='q35'>hvm</type>
                    <kernel>%s</kernel>
                    <initrd>%s</initrd>
                    <cmdline>console=ttyS0 quiet no_timer_check tsc=reliable random.trust_cpu=on fairlead.root=none fairlead.login</cmdline>
                  </os>
                  <features><acpi/></features>
                  <devices>
                %s    <serial type='pty'/>
                    <serial type='null'/>
                  </devices>
                </domain>
                """.formatted(
                name,
                kernel,
                initramfs,
                devices.stream()
                        .map("    <hostdev mode='subsystem' type='vdpa'><source dev='%s'/></hostdev>%n"::formatted)
                        .collect(Collectors.joining()));
        try {
            var _ = DomainXml.parse(document.getBytes(StandardCharsets.UTF_8));
        } catch (DomainException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        return document;
    }
}
