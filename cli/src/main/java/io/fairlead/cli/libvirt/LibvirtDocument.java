package io.fairlead.cli.libvirt;

import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.command.VdpaAttachment;
import io.fairlead.qemu.domain.format.DomainXml;
import io.fairlead.qemu.domain.lower.Lowering;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A document for stock libvirt, and what its user should know.
 *
 * @param xml as {@code virsh define} takes it
 */
public record LibvirtDocument(String xml, List<Notice> notices) {
    /** What is written is the same for all that Fairlead knows, 10.0 to 11.1. */
    private static final QemuVersion QEMU = new QemuVersion(10, 0, 0);

    /** Tells what devices are. */
    @FunctionalInterface
    public interface Known {
        /**
         * A device by what the document calls it; null where it is not known.
         *
         * @throws IOException where it cannot be asked
         */
        @Nullable
        KnownDevice device(String key) throws IOException;
    }

    public LibvirtDocument {
        notices = List.copyOf(notices);
    }

    /**
     * Lowers a document.
     *
     * @throws DomainException where the document is wrong or a device is not known
     */
    public static LibvirtDocument of(byte[] document, Known known) throws DomainException, IOException {
        DomainXml.Parsed parsed = DomainXml.parse(document);
        DomainPlan.Planned planned = DomainPlan.complete(parsed.domain(), DomainPlan.SPARE_PORTS);
        List<Notice> notices = new ArrayList<>(parsed.notices());
        notices.addAll(planned.notices());
        Lowering.Lowered lowered = Lowering.lower(planned.domain(), QEMU, attachments(planned.domain(), known));
        notices.addAll(lowered.notices());
        return new LibvirtDocument(DomainXml.print(lowered.domain()), notices);
    }

    private static Map<String, VdpaAttachment> attachments(Domain domain, Known known)
            throws DomainException, IOException {
        Map<String, VdpaAttachment> attachments = new HashMap<>();
        for (Device device : domain.devices()) {
            String id = String.valueOf(device.place().alias());
            VdpaSource source = VdpaDevices.source(device);
            if (source != null && source.mode() == VdpaSource.Mode.DIRECT) {
                Path file = Path.of(source.isPath() ? source.dev() : "/dev/fairlead/" + source.dev());
                attachments.put(id, new VdpaAttachment.Direct(DirectVdpaDevice.of(id, file)));
            } else if (source != null) {
                attachments.put(id, shared(domain, id, source.dev(), known));
            } else if (device instanceof PciHostDevice pci && pci.driver() == PciHostDevice.Driver.VDPA) {
                attachments.put(id, shared(domain, id, pci.source().toString(), known));
            }
        }
        return attachments;
    }

    private static VdpaAttachment shared(Domain domain, String id, String key, Known known)
            throws DomainException, IOException {
        KnownDevice device = known.device(key);
        if (device == null) {
            throw new DomainException(
                    0,
                    domain.name() + "/" + id,
                    "it is not known what the device " + key + " is",
                    "say it: --device " + key + "=TYPE, or give it to this host's daemon");
        }
        return new VdpaAttachment.Shared(device.model(id));
    }
}
