package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DiskSource;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.VdpaSource;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** {@code <disk>}. */
final class DiskXml {
    private static final Pattern TARGET = Pattern.compile("[a-z]{1,6}[a-z0-9]{0,10}");
    private static final Pattern LIMIT =
            Pattern.compile("(total|read|write)_(bytes|iops)_sec(_max(_length)?)?|size_iops_sec");
    private static final Pattern FORMAT =
            Pattern.compile("raw|qcow2|qcow|qed|vmdk|vdi|vpc|vhdx|luks|parallels|cloop|dmg|bochs");

    private DiskXml() {}

    static Disk read(ElementReader in) throws DomainException {
        Disk.Kind kind = switch (in.attribute("device", "disk")) {
            case "disk" -> Disk.Kind.DISK;
            case "cdrom" -> Disk.Kind.CDROM;
            case String other ->
                throw in.refuseAttribute("device", "\"" + other + "\" is not taken", "use disk or cdrom");
        };
        refuseParts(in, List.of("encryption", "transient", "mirror"));
        ElementReader target = in.requiredChild("target");
        String name = target.required("dev");
        if (!TARGET.matcher(name).matches()) {
            throw target.refuseAttribute("dev", "\"" + name + "\" is not a disk's name", "use one such as vda or sdb");
        }
        Disk.Bus bus = target.choice("bus", usualBus(name));
        String format = "raw";
        Disk.Tuning tuning = Disk.Tuning.DEFAULT;
        DiskSource source = source(in);
        ElementReader driver = in.child("driver");
        if (driver != null) {
            driver.quiet("name");
            format = driver.attribute("type", "raw");
            if (!FORMAT.matcher(format).matches()) {
                throw driver.refuseAttribute("type", "QEMU has no format \"" + format + "\"", "use raw or qcow2");
            }
            tuning = new Disk.Tuning(
                    driver.choice("cache", Disk.Cache.DEFAULT),
                    driver.choice("io", Disk.Io.DEFAULT),
                    driver.choice("discard", Disk.Discard.DEFAULT),
                    driver.number("queues", 0, 1, 1024));
        }
        boolean vhost = !(source instanceof DiskSource.Empty
                || source instanceof DiskSource.FileSource
                || source instanceof DiskSource.BlockSource
                || source instanceof DiskSource.Nbd);
        if (vhost && (bus != Disk.Bus.VIRTIO || kind != Disk.Kind.DISK)) {
            throw target.refuse(
                    "a disk of type " + source.type() + " is a virtio disk of its own",
                    "use bus='virtio' and device='disk'");
        }
        if (source instanceof DiskSource.Empty && kind != Disk.Kind.CDROM) {
            throw in.refuse("the disk has no source", "add <source file='...'/>");
        }
        String serial = in.childText("serial");
        Disk disk = new Disk(
                kind,
                source,
                format,
                name,
                bus,
                in.child("readonly") != null || kind == Disk.Kind.CDROM,
                in.child("shareable") != null,
                serial == null ? null : serial(in, serial.strip()),
                tuning,
                limits(in),
                PlaceXml.read(in),
                in.kept());
        return disk;
    }

    private static String serial(ElementReader in, String serial) throws DomainException {
        if (serial.isEmpty() || serial.length() > 255 || serial.chars().anyMatch(c -> c < 0x20 || c > 0x7e)) {
            throw in.refuse("the serial number is empty, too long, or not ASCII", "use up to 20 letters and digits");
        }
        return serial;
    }

    private static Disk.Bus usualBus(String target) {
        return target.startsWith("sd") ? Disk.Bus.SCSI : target.startsWith("hd") ? Disk.Bus.IDE : Disk.Bus.VIRTIO;
    }

    private static DiskSource source(ElementReader in) throws DomainException {
        String type = in.attribute("type", "file");
        if (type.equals("vhostvdpa") || type.equals("generic-vdpa")) {
            VdpaSource vdpa = VdpaXml.read(in);
            return type.equals("vhostvdpa") ? new DiskSource.VhostVdpa(vdpa) : new DiskSource.GenericVdpa(vdpa);
        }
        ElementReader source = in.child("source");
        if (source == null) {
            return new DiskSource.Empty();
        }
        refuseParts(source, List.of("encryption", "slices", "cookies", "auth"));
        return switch (type) {
            case "file" -> {
                String file = source.path("file");
                yield file == null ? new DiskSource.Empty() : new DiskSource.FileSource(file);
            }
            case "block" -> {
                String dev = source.path("dev");
                yield dev == null ? new DiskSource.Empty() : new DiskSource.BlockSource(dev);
            }
            case "network" -> network(source);
            case "vhostuser" -> {
                unixOnly(source);
                yield new DiskSource.VhostUser(source.requiredPath("path"), ReconnectXml.read(source));
            }
            default ->
                throw in.refuseAttribute(
                        "type",
                        "disks of type \"" + type + "\" are not taken",
                        "use file, block, network (nbd), vhostuser, vhostvdpa or generic-vdpa");
        };
    }

    /** What changes a disk's content must not be ignored. */
    private static void refuseParts(ElementReader in, List<String> parts) throws DomainException {
        for (String part : parts) {
            ElementReader found = in.child(part);
            if (found != null) {
                throw found.refuse("a disk with <" + part + "> is not taken", "use one without");
            }
        }
    }

    private static void unixOnly(ElementReader source) throws DomainException {
        String type = source.attribute("type", "unix");
        if (!type.equals("unix")) {
            throw source.refuseAttribute("type", "\"" + type + "\" is not taken", "use type='unix'");
        }
    }

    private static DiskSource network(ElementReader source) throws DomainException {
        String protocol = source.required("protocol");
        if (!protocol.equals("nbd")) {
            throw source.refuseAttribute(
                    "protocol", "the protocol \"" + protocol + "\" is not taken", "use nbd, or attach it to the host");
        }
        if (source.yesNo("tls", false)) {
            throw source.refuseAttribute("tls", "NBD by TLS is not taken", "leave it out");
        }
        ElementReader host = source.requiredChild("host");
        String export = source.attribute("name", "");
        return switch (host.attribute("transport", "tcp")) {
            case "tcp" -> {
                String name = host.required("name");
                yield new DiskSource.Nbd(export, name, host.number("port", 10809, 1, 65535), null);
            }
            case "unix" -> new DiskSource.Nbd(export, null, 0, host.requiredPath("socket"));
            case String other ->
                throw host.refuseAttribute("transport", "\"" + other + "\" is not taken", "use tcp or unix");
        };
    }

    private static Map<String, Long> limits(ElementReader in) throws DomainException {
        Map<String, Long> limits = new TreeMap<>();
        ElementReader tune = in.child("iotune");
        if (tune != null) {
            for (String name : tune.childNames()) {
                if (LIMIT.matcher(name).matches()) {
                    ElementReader limit = tune.requiredChild(name);
                    limits.put(name, limit.numberOfText(0, 1_000_000_000_000_000L));
                }
            }
        }
        return limits;
    }

    static ElementWriter write(Disk disk) {
        ElementWriter out = new ElementWriter("disk")
                .set("type", disk.source().type())
                .set("device", disk.kind().word());
        Disk.Tuning tuning = disk.tuning();
        ElementWriter _ = out.child("driver")
                .set("type", disk.format())
                .setIf(
                        tuning.cache() != Disk.Cache.DEFAULT,
                        "cache",
                        tuning.cache().word())
                .setIf(tuning.io() != Disk.Io.DEFAULT, "io", tuning.io().word())
                .setIf(
                        tuning.discard() != Disk.Discard.DEFAULT,
                        "discard",
                        tuning.discard().word())
                .setIf(tuning.queues() > 0, "queues", tuning.queues());
        writeSource(disk.source(), out);
        ElementWriter _ = out.child("target")
                .set("dev", disk.target())
                .set("bus", disk.bus().word());
        if (!disk.limits().isEmpty()) {
            ElementWriter tune = out.child("iotune");
            // The order that libvirt's schema wants: rates, bursts, what an operation is, how long bursts last.
            disk.limits().keySet().stream()
                    .sorted(Comparator.comparing((String name) -> name.endsWith("_length"))
                            .thenComparing(name -> name.equals("size_iops_sec"))
                            .thenComparing(name -> name.endsWith("_max"))
                            .thenComparing(name -> name.contains("iops"))
                            .thenComparing(Comparator.naturalOrder()))
                    .forEach(name -> tune.childText(name, disk.limits().get(name)));
        }
        ElementWriter _ = out.childIf(disk.readOnly(), "readonly")
                .childIf(disk.shareable(), "shareable")
                .childText("serial", disk.serial());
        PlaceXml.write(disk.place(), out);
        return out.keep(disk.kept());
    }

    private static void writeSource(DiskSource source, ElementWriter out) {
        switch (source) {
            case DiskSource.Empty() -> {}
            case DiskSource.FileSource(String file) -> {
                ElementWriter _ = out.child("source").set("file", file);
            }
            case DiskSource.BlockSource(String dev) -> {
                ElementWriter _ = out.child("source").set("dev", dev);
            }
            case DiskSource.Nbd nbd -> {
                ElementWriter host = out.child("source")
                        .set("protocol", "nbd")
                        .setIf(!nbd.export().isEmpty(), "name", nbd.export())
                        .child("host");
                ElementWriter _ = nbd.socket() != null
                        ? host.set("transport", "unix").set("socket", nbd.socket())
                        : host.set("name", nbd.host()).set("port", nbd.port());
            }
            case DiskSource.VhostUser(String socket, int seconds) -> {
                ElementWriter child = out.child("source").set("type", "unix").set("path", socket);
                ReconnectXml.write(seconds, child);
            }
            case DiskSource.VhostVdpa(VdpaSource vdpa) -> VdpaXml.write(vdpa, out);
            case DiskSource.GenericVdpa(VdpaSource vdpa) -> VdpaXml.write(vdpa, out);
        }
    }
}
