package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.domain.Balloon;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DiskSource;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.Input;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.PciHostDevice;
import io.fairlead.qemu.domain.Rng;
import io.fairlead.qemu.domain.UnknownDevice;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaHostDevice;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.Video;
import io.fairlead.qemu.domain.VncDisplay;
import io.fairlead.qemu.domain.Vsock;
import io.fairlead.qemu.domain.Watchdog;

/** What the kinds of devices are to the machine. */
final class Kinds {
    private Kinds() {}

    /** Where a device may sit. */
    enum Seat {
        /** At no PCI bus. */
        NONE,
        /** At the root, where nothing is plugged: conventional PCI, and what belongs to the board. */
        ROOT,
        /** Behind a root port. */
        PORT
    }

    static Seat seat(Device device) {
        return switch (device) {
            case Disk disk -> disk.bus() == Disk.Bus.VIRTIO ? Seat.PORT : Seat.NONE;
            case NetworkInterface nic -> isExpress(nic.model()) ? Seat.PORT : Seat.ROOT;
            case Filesystem _, Rng _, Vsock _, PciHostDevice _, VdpaHostDevice _ -> Seat.PORT;
            case CharacterDevice character -> character.targetType().equals("pci-serial") ? Seat.ROOT : Seat.NONE;
            case Video video -> video.model().equals("none") || video.model().equals("ramfb") ? Seat.NONE : Seat.ROOT;
            case Input input -> input.bus() == Input.Bus.VIRTIO ? Seat.PORT : Seat.NONE;
            case Balloon balloon -> balloon.model() == Balloon.Model.VIRTIO ? Seat.PORT : Seat.NONE;
            case Controller controller -> seat(controller);
            case Watchdog watchdog -> watchdog.model().equals("i6300esb") ? Seat.ROOT : Seat.NONE;
            case VncDisplay _, UnknownDevice _ -> Seat.NONE;
        };
    }

    private static boolean isExpress(String nicModel) {
        return nicModel.startsWith("virtio") || nicModel.equals("e1000e") || nicModel.equals("igb");
    }

    private static Seat seat(Controller controller) {
        return switch (controller.type()) {
            case PCI -> isRootPort(controller) ? Seat.ROOT : Seat.NONE;
            case SCSI, VIRTIO_SERIAL -> Seat.PORT;
            case USB -> "none".equals(controller.model()) ? Seat.NONE : Seat.PORT;
            case SATA, IDE -> Seat.NONE;
        };
    }

    static boolean isRootPort(Device device) {
        return device instanceof Controller controller
                && controller.type() == Controller.Type.PCI
                && "pcie-root-port".equals(controller.model());
    }

    /** The beginning of the ids of a kind. */
    static String prefix(Device device) {
        return switch (device) {
            case Disk _ -> "disk";
            case NetworkInterface _ -> "net";
            case Filesystem _ -> "fs";
            case CharacterDevice character -> character.role().word();
            case VncDisplay _ -> "vnc";
            case Video _ -> "video";
            case Rng _ -> "rng";
            case Input _ -> "input";
            case Balloon _ -> "balloon";
            case Controller controller -> controller.type().word();
            case Vsock _ -> "vsock";
            case Watchdog _ -> "watchdog";
            case PciHostDevice _ -> "hostdev";
            case VdpaHostDevice _ -> "vdpa";
            case UnknownDevice _ -> "";
        };
    }

    /** Whether a back-end outside QEMU reads and writes the guest's memory for it. */
    static boolean needsSharedMemory(Device device) {
        VdpaSource vdpa = VdpaDevices.source(device);
        if (vdpa != null) {
            return vdpa.mode() == VdpaSource.Mode.MANAGED;
        }
        return switch (device) {
            case Disk disk -> disk.source() instanceof DiskSource.VhostUser;
            case NetworkInterface nic -> nic.source() instanceof NetworkInterface.Source.VhostUser;
            case Filesystem _ -> true;
            case PciHostDevice pci -> pci.driver() == PciHostDevice.Driver.VDPA;
            default -> false;
        };
    }

    static boolean needsSharedMemory(Domain domain) {
        return domain.devices().stream().anyMatch(Kinds::needsSharedMemory);
    }
}
