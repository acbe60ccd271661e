package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DiskSource;
import io.fairlead.qemu.domain.DomainException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Disks: what they read from, through which layers, and what the guest sees. One machine. */
final class DiskArguments {
    private static final int SATA_PORTS = 6;

    private final Arguments out;

    /** Units that are taken, by bus and number. */
    private final Set<String> units = new HashSet<>();

    DiskArguments(Arguments out) {
        this.out = out;
        for (Disk disk : out.domain().devices(Disk.class)) {
            if (disk.bus() != Disk.Bus.VIRTIO && disk.place().address() instanceof Address.Drive drive) {
                units.add(unitKey(disk.bus(), drive));
            }
        }
    }

    void add(Disk disk) throws DomainException {
        switch (disk.source()) {
            case DiskSource.VhostUser(String socket, int seconds) ->
                vhostUser(
                        disk,
                        VhostUserDevice.blk(Arguments.id(disk), Path.of(socket)).withReconnectMillis(seconds * 1000));
            case DiskSource.VhostVdpa(var source) -> VdpaArguments.disk(out, disk, source);
            case DiskSource.GenericVdpa(var source) -> VdpaArguments.disk(out, disk, source);
            case DiskSource.Empty _, DiskSource.FileSource _, DiskSource.BlockSource _, DiskSource.Nbd _ -> local(disk);
        }
    }

    private void vhostUser(Disk disk, VhostUserDevice device) throws DomainException {
        VhostUserDevice placed = device;
        for (Map.Entry<String, String> property : out.placeText(disk).entrySet()) {
            placed = placed.with(property.getKey(), property.getValue());
        }
        if (disk.tuning().queues() > 0) {
            placed = placed.with("num-queues", disk.tuning().queues());
        }
        out.addAll(placed.jsonArguments(out.version()));
    }

    private void local(Disk disk) throws DomainException {
        String id = Arguments.id(disk);
        boolean empty = disk.source() instanceof DiskSource.Empty;
        if (!empty) {
            layers(disk, id);
        }
        Map<String, Object> device = switch (disk.bus()) {
            case VIRTIO -> out.device("virtio-blk-pci", disk);
            case SCSI -> scsi(disk);
            case SATA, IDE -> ide(disk);
        };
        if (!empty) {
            device.put("drive", id + "-format");
        }
        if (disk.serial() != null) {
            device.put("serial", disk.serial());
        }
        if (disk.shareable()) {
            device.put("share-rw", true);
        }
        if (disk.bus() == Disk.Bus.VIRTIO && disk.tuning().queues() > 0) {
            device.put("num-queues", disk.tuning().queues());
        }
        Disk.Cache cache = disk.tuning().cache();
        if (cache != Disk.Cache.DEFAULT && !empty) {
            device.put(
                    "write-cache", cache == Disk.Cache.WRITETHROUGH || cache == Disk.Cache.DIRECTSYNC ? "off" : "on");
        }
        out.json("-device", device);
    }

    /** Storage, limits, format; each a node of its own. */
    private void layers(Disk disk, String id) {
        Map<String, Object> storage = new LinkedHashMap<>(storage(disk.source()));
        Disk.Tuning tuning = disk.tuning();
        if (!(disk.source() instanceof DiskSource.Nbd) && tuning.io() != Disk.Io.DEFAULT) {
            storage.put("aio", tuning.io().word());
        }
        storage.put("node-name", id + "-storage");
        common(disk, storage);
        out.json("-blockdev", storage);
        String below = id + "-storage";
        if (!disk.limits().isEmpty()) {
            Map<String, Object> limits = new TreeMap<>();
            disk.limits().forEach((name, value) -> limits.put(limit(name), value));
            out.json("-object", Map.of("qom-type", "throttle-group", "id", id + "-limits", "limits", limits));
            out.json(
                    "-blockdev",
                    Map.of(
                            "driver",
                            "throttle",
                            "throttle-group",
                            id + "-limits",
                            "node-name",
                            id + "-throttle",
                            "file",
                            below));
            below = id + "-throttle";
        }
        Map<String, Object> format = new LinkedHashMap<>();
        format.put("driver", disk.format());
        format.put("node-name", id + "-format");
        format.put("file", below);
        common(disk, format);
        out.json("-blockdev", format);
    }

    private static void common(Disk disk, Map<String, Object> node) {
        Disk.Tuning tuning = disk.tuning();
        node.put("read-only", disk.readOnly());
        if (tuning.discard() != Disk.Discard.DEFAULT) {
            node.put("discard", tuning.discard().word());
        }
        if (tuning.cache() != Disk.Cache.DEFAULT) {
            node.put(
                    "cache",
                    Map.of(
                            "direct",
                            tuning.cache() == Disk.Cache.NONE || tuning.cache() == Disk.Cache.DIRECTSYNC,
                            "no-flush",
                            tuning.cache() == Disk.Cache.UNSAFE));
        }
    }

    private static Map<String, Object> storage(DiskSource source) {
        return switch (source) {
            case DiskSource.FileSource(String file) -> Map.of("driver", "file", "filename", file);
            case DiskSource.BlockSource(String dev) -> Map.of("driver", "host_device", "filename", dev);
            case DiskSource.Nbd nbd -> {
                Map<String, Object> node = new LinkedHashMap<>();
                node.put("driver", "nbd");
                node.put(
                        "server",
                        nbd.socket() != null
                                ? Map.of("type", "unix", "path", nbd.socket())
                                : Map.of(
                                        "type",
                                        "inet",
                                        "host",
                                        String.valueOf(nbd.host()),
                                        "port",
                                        Integer.toString(nbd.port())));
                if (!nbd.export().isEmpty()) {
                    node.put("export", nbd.export());
                }
                yield node;
            }
            default -> throw new IllegalArgumentException("QEMU does not read a " + source.type() + " itself");
        };
    }

    /** QEMU's name for one of libvirt's limits: total_bytes_sec_max is bps-total-max. */
    static String limit(String name) {
        if (name.equals("size_iops_sec")) {
            return "iops-size";
        }
        String[] parts = name.split("_sec", 2);
        String[] what = parts[0].split("_", 2);
        return (what[1].equals("bytes") ? "bps" : "iops") + "-" + what[0] + parts[1].replace('_', '-');
    }

    private Map<String, Object> scsi(Disk disk) throws DomainException {
        Address.Drive drive = drive(disk, 256);
        String controller = DomainPlan.buses(out.domain(), Controller.Type.SCSI).get(drive.controller());
        if (controller == null) {
            throw out.refuse(disk, "there is no SCSI controller " + drive.controller(), "add one");
        }
        Map<String, Object> device = out.device(disk.kind() == Disk.Kind.CDROM ? "scsi-cd" : "scsi-hd", disk);
        device.put("bus", controller + ".0");
        device.put("channel", 0);
        device.put("scsi-id", drive.target());
        device.put("lun", drive.unit());
        return device;
    }

    private Map<String, Object> ide(Disk disk) throws DomainException {
        boolean sata = out.board() == Board.Q35;
        if (sata != (disk.bus() == Disk.Bus.SATA)) {
            throw out.refuse(
                    disk,
                    "a board of type " + out.domain().boot().machineType() + " has no "
                            + disk.bus().word(),
                    "use bus='" + (sata ? "sata" : "ide") + "'");
        }
        Address.Drive drive = drive(disk, sata ? SATA_PORTS : 4);
        Map<String, Object> device = out.device(disk.kind() == Disk.Kind.CDROM ? "ide-cd" : "ide-hd", disk);
        // A SATA port is a bus with one unit; IDE has two of two.
        device.put("bus", "ide." + (sata ? drive.unit() : drive.bus()));
        device.put("unit", sata ? 0 : drive.unit());
        return device;
    }

    private Address.Drive drive(Disk disk, int places) throws DomainException {
        if (disk.place().address() instanceof Address.Drive drive) {
            boolean fits = disk.bus() == Disk.Bus.SCSI
                    || (drive.controller() == 0
                            && drive.target() == 0
                            && (disk.bus() == Disk.Bus.SATA
                                    ? drive.bus() == 0 && drive.unit() < SATA_PORTS
                                    : drive.bus() < 2 && drive.unit() < 2));
            if (!fits) {
                throw out.refuse(disk, "the board has no such place for a disk", "leave <address> out");
            }
            return drive;
        }
        for (int i = 0; i < places; i++) {
            Address.Drive drive = switch (disk.bus()) {
                case SCSI -> new Address.Drive(0, 0, i, 0);
                case IDE -> new Address.Drive(0, i / 2, 0, i % 2);
                case SATA, VIRTIO -> new Address.Drive(0, 0, 0, i);
            };
            if (units.add(unitKey(disk.bus(), drive))) {
                return drive;
            }
        }
        throw out.refuse(disk, "all places for disks of bus " + disk.bus().word() + " are taken", "use bus='virtio'");
    }

    private static String unitKey(Disk.Bus bus, Address.Drive drive) {
        return bus + " " + drive;
    }
}
