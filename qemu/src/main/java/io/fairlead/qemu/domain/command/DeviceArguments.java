package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.Options;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Balloon;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.Input;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.Rng;
import io.fairlead.qemu.domain.UnknownDevice;
import io.fairlead.qemu.domain.VdpaHostDevice;
import io.fairlead.qemu.domain.Video;
import io.fairlead.qemu.domain.VncDisplay;
import io.fairlead.qemu.domain.Vsock;
import io.fairlead.qemu.domain.Watchdog;
import java.nio.file.Path;
import java.util.Map;

/** Each device to the class that knows its kind; the small ones here. One machine. */
final class DeviceArguments {
    private final Arguments out;
    private final DiskArguments disks;
    private final CharacterArguments characters;

    DeviceArguments(Arguments out) {
        this.out = out;
        this.disks = new DiskArguments(out);
        this.characters = new CharacterArguments(out);
    }

    /** First what other devices sit behind. */
    void addAll() throws DomainException {
        for (Device device : out.domain().devices()) {
            if (Kinds.isRootPort(device)) {
                rootPort((Controller) device);
            }
        }
        for (Controller controller : out.domain().devices(Controller.class)) {
            controller(controller);
        }
        for (Device device : out.domain().devices()) {
            add(device);
        }
    }

    private void add(Device device) throws DomainException {
        switch (device) {
            case Disk disk -> disks.add(disk);
            case NetworkInterface nic -> NetArguments.add(out, nic);
            case Filesystem fs -> filesystem(fs);
            case CharacterDevice character -> characters.add(character);
            case VncDisplay vnc -> vnc(vnc);
            case Video video -> video(video);
            case Rng rng -> rng(rng);
            case Input input -> input(input);
            case Balloon balloon -> balloon(balloon);
            case Vsock vsock -> vsock(vsock);
            case Watchdog watchdog -> watchdog(watchdog);
            case PciHostDevice pci -> pci(pci);
            case VdpaHostDevice vdpa ->
                VdpaArguments.host(out, vdpa, out.host().vdpa(Arguments.id(vdpa), vdpa.source()));
            case Controller _, UnknownDevice _ -> {}
        }
    }

    private void rootPort(Controller controller) throws DomainException {
        Map<String, Object> device = out.device("pcie-root-port", controller);
        device.put("chassis", controller.index());
        device.put("port", controller.index());
        out.json("-device", device);
    }

    private void controller(Controller controller) throws DomainException {
        switch (controller.type()) {
            case SCSI -> {
                String model = controller.model();
                if (model != null && !model.startsWith("virtio")) {
                    throw out.refuse(
                            controller, "SCSI adapters of model " + model + " are not made", "use virtio-scsi");
                }
                Map<String, Object> device = out.device("virtio-scsi-pci", controller);
                if (controller.queues() > 0) {
                    device.put("num_queues", controller.queues());
                }
                out.json("-device", device);
            }
            case VIRTIO_SERIAL -> {
                Map<String, Object> device = out.device("virtio-serial-pci", controller);
                if (controller.ports() > 0) {
                    device.put("max_ports", controller.ports());
                }
                out.json("-device", device);
            }
            case USB -> usb(controller);
            case PCI, SATA, IDE -> {
                // The board's own.
            }
        }
    }

    private void usb(Controller controller) throws DomainException {
        String model = controller.model();
        if ("none".equals(model)) {
            return;
        }
        String driver = switch (model) {
            case null -> "qemu-xhci";
            case "qemu-xhci" -> "qemu-xhci";
            case "nec-xhci" -> "nec-usb-xhci";
            case "piix3-uhci" -> "piix3-usb-uhci";
            default ->
                throw out.refuse(controller, "USB controllers of model " + model + " are not made", "use qemu-xhci");
        };
        out.json("-device", out.device(driver, controller));
    }

    private void filesystem(Filesystem fs) throws DomainException {
        String id = Arguments.id(fs);
        Path socket = fs.socket() == null ? out.host().virtiofs(id, fs) : Path.of(fs.socket());
        VhostUserDevice device = VhostUserDevice.fs(id, socket, fs.tag());
        if (fs.queueSize() > 0) {
            device = device.with("queue-size", fs.queueSize());
        }
        VdpaArguments.host(out, fs, new VdpaAttachment.Shared(device));
    }

    private void vnc(VncDisplay vnc) {
        if (out.domain().devices(Video.class).isEmpty()) {
            return;
        }
        if (vnc.socket() != null) {
            out.add("-vnc", "unix:" + Options.escape(vnc.socket()));
            return;
        }
        String listen = vnc.listen() == null ? "127.0.0.1" : vnc.listen();
        String host = listen.contains(":") ? "[" + listen + "]" : listen;
        out.add("-vnc", vnc.port() < 0 ? host + ":0,to=99" : host + ":" + (vnc.port() - 5900));
    }

    private void video(Video video) throws DomainException {
        String driver = switch (video.model()) {
            case "vga" -> "VGA";
            case "cirrus" -> "cirrus-vga";
            case "virtio" -> "virtio-vga";
            case "bochs" -> "bochs-display";
            case "qxl" -> "qxl-vga";
            case "vmvga" -> "vmware-svga";
            case "ramfb" -> "ramfb";
            default -> "";
        };
        if (driver.isEmpty()) {
            return;
        }
        Map<String, Object> device = out.device(driver, video);
        if (video.heads() > 0 && video.model().equals("virtio")) {
            device.put("max_outputs", video.heads());
        }
        out.json("-device", device);
    }

    private void rng(Rng rng) throws DomainException {
        String object = "source-" + Arguments.id(rng);
        out.json(
                "-object",
                rng.source() == null
                        ? Map.of("qom-type", "rng-builtin", "id", object)
                        : Map.of("qom-type", "rng-random", "id", object, "filename", rng.source()));
        Map<String, Object> device = out.device("virtio-rng-pci", rng);
        device.put("rng", object);
        if (rng.rateBytes() > 0) {
            device.put("max-bytes", rng.rateBytes());
            device.put("period", rng.ratePeriodMillis() > 0 ? rng.ratePeriodMillis() : 1000);
        }
        out.json("-device", device);
    }

    private void input(Input input) throws DomainException {
        String kind = input.kind() == Input.Kind.KEYBOARD ? "kbd" : input.kind().word();
        switch (input.bus()) {
            case USB -> out.json("-device", out.device("usb-" + kind, input));
            case VIRTIO ->
                out.json("-device", out.device("virtio-" + input.kind().word() + "-pci", input));
            case PS2 -> {
                // The board's own.
            }
        }
    }

    private void balloon(Balloon balloon) throws DomainException {
        if (balloon.model() == Balloon.Model.VIRTIO) {
            Map<String, Object> device = out.device("virtio-balloon-pci", balloon);
            if (balloon.freePageReporting()) {
                device.put("free-page-reporting", true);
            }
            out.json("-device", device);
        }
    }

    private void vsock(Vsock vsock) throws DomainException {
        Map<String, Object> device = out.device("vhost-vsock-pci", vsock);
        device.put("guest-cid", vsock.auto() ? out.host().cid(vsock) : vsock.cid());
        out.json("-device", device);
    }

    private void watchdog(Watchdog watchdog) throws DomainException {
        switch (watchdog.model()) {
            case "itco" -> {
                if (out.board() != Board.Q35) {
                    throw out.refuse(watchdog, "the board has no itco", "use model='i6300esb'");
                }
                // It is there always, and does nothing unless this is said.
                out.add("-global", "ICH9-LPC.noreboot=off");
            }
            default -> out.json("-device", out.device(watchdog.model(), watchdog));
        }
        out.add(
                "-action",
                "watchdog="
                        + (watchdog.action() == Watchdog.Action.DUMP
                                ? "pause"
                                : watchdog.action().word()));
    }

    private void pci(PciHostDevice pci) throws DomainException {
        if (pci.driver() == PciHostDevice.Driver.VDPA) {
            VdpaArguments.host(out, pci, out.host().vdpaOf(Arguments.id(pci), pci.source()));
            return;
        }
        Map<String, Object> device = out.device("vfio-pci", pci);
        device.put("host", pci.source().toString());
        out.json("-device", device);
    }
}
