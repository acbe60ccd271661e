package io.fairlead.qemu.domain.lower;

import io.fairlead.qemu.Options;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DiskSource;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.Kept;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.Place;
import io.fairlead.qemu.domain.QemuExtras;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaHostDevice;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.command.VdpaAttachment;
import io.fairlead.qemu.domain.xml.XmlAttribute;
import io.fairlead.qemu.domain.xml.XmlElement;
import io.fairlead.qemu.domain.xml.XmlName;
import io.fairlead.qemu.domain.xml.XmlNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Turns the vDPA forms into what stock libvirt 11 takes: a disk, a network card or a shared folder by vhost-user where
 * libvirt knows the kind, else arguments for QEMU with the device on a port of its own, which is the last of the board. What
 * was there before stands in the metadata, {@code <fairlead:lowered>}, where a hook finds it. Nothing of the host is looked
 * at or changed.
 */
public final class Lowering {
    /** The namespace of {@code <fairlead:lowered>}. */
    public static final String NAMESPACE = "urn:fairlead:domain:1";

    private static final long LOCK_MARGIN_KIB = 1L << 20;
    private static final int PCIE_SLOT_OF_PORTS = 0x1e;

    private final Domain domain;
    private final QemuVersion version;
    private final Map<String, VdpaAttachment> resolved;
    private final List<Device> devices = new ArrayList<>();
    private final List<String> arguments = new ArrayList<>();
    private final List<XmlNode> records = new ArrayList<>();
    private final List<Notice> notices = new ArrayList<>();
    private int ownPorts;
    private boolean shares;
    private boolean locks;

    private Lowering(Domain domain, QemuVersion version, Map<String, VdpaAttachment> resolved) {
        this.domain = domain;
        this.version = version;
        this.resolved = resolved;
    }

    /** A domain for libvirt, and what its user has to see to. */
    public record Lowered(Domain domain, List<Notice> notices) {
        public Lowered {
            notices = List.copyOf(notices);
        }
    }

    /**
     * Lowers a domain.
     *
     * @param domain with an id for every device, by {@link DomainPlan}
     * @param version of the QEMU that libvirt runs
     * @param resolved what each vDPA device is, by its id
     * @throws DomainException where a device is not resolved or is not of its element's kind
     */
    public static Lowered lower(Domain domain, QemuVersion version, Map<String, VdpaAttachment> resolved)
            throws DomainException {
        Lowering lowering = new Lowering(domain, version, resolved);
        for (Device device : domain.devices()) {
            lowering.add(device);
        }
        return new Lowered(lowering.whole(), lowering.notices);
    }

    private void add(Device device) throws DomainException {
        VdpaSource source = VdpaDevices.source(device);
        Address.@Nullable Pci function =
                device instanceof PciHostDevice pci && pci.driver() == PciHostDevice.Driver.VDPA ? pci.source() : null;
        if (source == null && function == null) {
            devices.add(withLibvirtsAlias(device));
            return;
        }
        String id = String.valueOf(device.place().alias());
        VdpaAttachment attachment = resolved.get(id);
        if (attachment == null) {
            throw new DomainException(
                    0, domain.name() + "/" + id, "it is not known what the device is", "have the node resolve it");
        }
        record(device, source, function, attachment);
        switch (attachment) {
            case VdpaAttachment.Shared(VhostUserDevice shared) -> {
                shares = true;
                Optional<Device> known = known(device, shared);
                if (known.isPresent()) {
                    devices.add(withLibvirtsAlias(known.get()));
                } else {
                    ownDevice(id, shared.with("bus", port()).jsonArguments(version));
                }
            }
            case VdpaAttachment.Direct(var direct) -> {
                locks = true;
                ownDevice(id, direct.with("bus", port()).jsonArguments());
                notices.add(new Notice(
                        0,
                        domain.name() + "/" + id,
                        "QEMU opens " + direct.file()
                                + " itself: let its user open it, add it to cgroup_device_acl and set namespaces = [] in"
                                + " /etc/libvirt/qemu.conf; the machine does not migrate"));
            }
        }
    }

    /** libvirt keeps no other aliases than those that say that a user gave them. */
    private static Device withLibvirtsAlias(Device device) {
        String alias = device.place().alias();
        if (alias == null || alias.startsWith("ua-")) {
            return device;
        }
        return device instanceof Controller || alias.isEmpty()
                ? device.withPlace(
                        new Place(null, device.place().address(), device.place().bootOrder()))
                : device.withPlace(device.place().withAlias("ua-" + alias));
    }

    /** What libvirt has an element for. */
    private Optional<Device> known(Device device, VhostUserDevice shared) throws DomainException {
        String socket = shared.socket().toString();
        int seconds = Math.ceilDiv(shared.reconnectMillis(), 1000);
        Place place = device.place();
        if (shared.driver().startsWith("vhost-user-blk")) {
            refuseUnless(device, device instanceof Disk || isHostDevice(device), "a disk");
            int queues = Integer.parseInt(shared.properties().getOrDefault("num-queues", "0"));
            if (device instanceof Disk disk) {
                Disk lowered = disk.withSource(new DiskSource.VhostUser(socket, seconds));
                return Optional.of(disk.tuning().queues() > 0 ? lowered : lowered.withQueues(queues));
            }
            return Optional.of(new Disk(
                    Disk.Kind.DISK,
                    new DiskSource.VhostUser(socket, seconds),
                    "raw",
                    freeTarget(),
                    Disk.Bus.VIRTIO,
                    false,
                    false,
                    null,
                    Disk.Tuning.DEFAULT.withQueues(queues),
                    Map.of(),
                    place,
                    Kept.NOTHING));
        }
        if (shared.netdevQueues() > 0) {
            refuseUnless(device, device instanceof NetworkInterface || isHostDevice(device), "a network card");
            NetworkInterface.Source source = new NetworkInterface.Source.VhostUser(socket, false, seconds);
            if (device instanceof NetworkInterface nic) {
                return Optional.of(nic.withSource(source));
            }
            int pairs = shared.netdevQueues();
            return Optional.of(new NetworkInterface(
                    source,
                    shared.properties().get("mac"),
                    "virtio",
                    null,
                    0,
                    pairs > 1 ? pairs : 0,
                    place,
                    Kept.NOTHING));
        }
        refuseUnless(device, isHostDevice(device), shared.driver());
        String tag = shared.properties().get("tag");
        if (shared.driver().startsWith("vhost-user-fs") && tag != null) {
            return Optional.of(new Filesystem(null, socket, null, tag, 0, false, place, Kept.NOTHING));
        }
        return Optional.empty();
    }

    private static boolean isHostDevice(Device device) {
        return device instanceof VdpaHostDevice || device instanceof PciHostDevice;
    }

    private void refuseUnless(Device device, boolean fits, String what) throws DomainException {
        if (!fits) {
            throw new DomainException(
                    0,
                    domain.name() + "/" + device.place().alias(),
                    "the device behind this " + device.element() + " is " + what,
                    "use <hostdev mode='subsystem' type='vdpa'>");
        }
    }

    private String freeTarget() {
        for (char letter = 'a'; letter <= 'z'; letter++) {
            String target = "vd" + letter;
            if (domain.devices(Disk.class).stream()
                            .noneMatch(disk -> disk.target().equals(target))
                    && devices.stream()
                            .noneMatch(device ->
                                    device instanceof Disk disk && disk.target().equals(target))) {
                return target;
            }
        }
        return "vdz" + devices.size();
    }

    /** A port that libvirt does not know of, in a slot that it comes to last. */
    private String port() throws DomainException {
        if (ownPorts == 8) {
            throw new DomainException(
                    0, domain.name(), "libvirt has no element for more than 8 of its devices", "use fewer");
        }
        String type = domain.boot().machineType();
        if (!type.equals("q35") && !type.startsWith("pc-q35-")) {
            return "pci.0";
        }
        String id = "fairlead-port" + ownPorts;
        Map<String, Object> port = new LinkedHashMap<>();
        port.put("driver", "pcie-root-port");
        port.put("id", id);
        port.put("bus", "pcie.0");
        port.put("addr", "0x%x.0x%x".formatted(PCIE_SLOT_OF_PORTS, ownPorts));
        port.put("multifunction", true);
        // Beyond the numbers that libvirt gives.
        port.put("chassis", 240 + ownPorts);
        port.put("port", 240 + ownPorts);
        arguments.add("-device");
        arguments.add(Options.json(port));
        ownPorts++;
        return id;
    }

    private void ownDevice(String id, List<String> added) {
        arguments.addAll(added);
        notices.add(new Notice(
                0,
                domain.name() + "/" + id,
                "libvirt has no element for it: it is in QEMU's arguments, and libvirt neither plugs nor shows it"));
    }

    private void record(
            Device device, @Nullable VdpaSource source, Address.@Nullable Pci function, VdpaAttachment attachment) {
        List<XmlAttribute> attributes = new ArrayList<>();
        attributes.add(attribute("alias", String.valueOf(device.place().alias())));
        attributes.add(attribute("element", device.element()));
        if (source != null) {
            attributes.add(attribute("dev", source.dev()));
            attributes.add(attribute("mode", source.mode().word()));
        }
        if (function != null) {
            attributes.add(attribute("function", function.toString()));
        }
        if (attachment instanceof VdpaAttachment.Shared(VhostUserDevice shared)) {
            attributes.add(attribute("socket", shared.socket().toString()));
        }
        records.add(new XmlElement(new XmlName(NAMESPACE, "fairlead", "device"), attributes, List.of(), 0));
    }

    private static XmlAttribute attribute(String name, String value) {
        return new XmlAttribute(XmlName.of(name), value);
    }

    private Domain whole() {
        List<String> all = new ArrayList<>(arguments);
        all.addAll(domain.qemu().arguments());
        Domain lowered = domain.withDevices(devices)
                .with(metadata(), new QemuExtras(all, domain.qemu().environment()));
        if (shares && !lowered.memory().backing().shared()) {
            lowered = lowered.withMemory(lowered.memory().shared());
        }
        if (locks && lowered.memory().hardLimitKib() == 0) {
            lowered = lowered.withMemory(
                    lowered.memory().withHardLimitKib(lowered.memory().kib() + LOCK_MARGIN_KIB));
        }
        return lowered;
    }

    private @Nullable XmlElement metadata() {
        XmlElement before = domain.metadata();
        if (records.isEmpty()) {
            return before;
        }
        List<XmlNode> content = new ArrayList<>();
        if (before != null) {
            before.content().stream().filter(node -> !isRecord(node)).forEach(content::add);
        }
        content.add(new XmlElement(new XmlName(NAMESPACE, "fairlead", "lowered"), List.of(), records, 0));
        return new XmlElement(XmlName.of("metadata"), before == null ? List.of() : before.attributes(), content, 0);
    }

    private static boolean isRecord(XmlNode node) {
        return node instanceof XmlElement element
                && element.name().namespace().equals(NAMESPACE)
                && element.name().local().equals("lowered");
    }
}
