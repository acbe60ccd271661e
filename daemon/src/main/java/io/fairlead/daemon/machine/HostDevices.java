package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.DeviceOwner;
import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.QemuModel;
import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Boot;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.Vsock;
import io.fairlead.qemu.domain.command.HostResources;
import io.fairlead.qemu.domain.command.VdpaAttachment;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a machine gets of this host; {@link #giveBack} undoes all of it. One thread. */
final class HostDevices implements HostResources {
    /** Where distributions put UEFI firmware without secure boot, code and variables. */
    private static final List<Firmware> FIRMWARE = List.of(
            new Firmware(Path.of("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path.of("/usr/share/OVMF/OVMF_VARS_4M.fd")),
            new Firmware(Path.of("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path.of("/usr/share/edk2/ovmf/OVMF_VARS.fd")));

    private final Devices devices;
    private final String machine;
    private final MachineFolder folder;
    private final List<String> claimed = new ArrayList<>();

    HostDevices(Devices devices, String machine, MachineFolder folder) {
        this.devices = devices;
        this.machine = machine;
        this.folder = folder;
    }

    /** Names of the devices that were given to the machine. */
    List<String> claimed() {
        return List.copyOf(claimed);
    }

    void giveBack() {
        claimed.forEach(name -> devices.release(name, machine));
        claimed.clear();
    }

    private NodeDevice claim(String id, String name) throws DomainException {
        try {
            NodeDevice device = devices.claim(name, machine);
            claimed.add(name);
            return device;
        } catch (ApiException e) {
            throw refused(
                    id,
                    String.valueOf(e.getMessage()),
                    e.remedy() == null ? "'fairlead dev show' lists those that there are" : e.remedy());
        } catch (IOException | IllegalArgumentException e) {
            throw refused(id, String.valueOf(e.getMessage()), "correct that, and start the machine again");
        }
    }

    private DomainException refused(String id, String reason, String remedy) {
        return new DomainException(0, machine + "/" + id, reason, remedy);
    }

    @Override
    public VdpaAttachment vdpa(String id, VdpaSource source) throws DomainException {
        if (source.mode() == VdpaSource.Mode.DIRECT) {
            if (!source.isPath()) {
                throw refused(id, source.dev() + " is no file that QEMU could open", "name /dev/vhost-vdpa-N");
            }
            return new VdpaAttachment.Direct(DirectVdpaDevice.of(id, Path.of(source.dev())));
        }
        if (source.isPath()) {
            throw refused(
                    id,
                    source.dev() + " is no device of this daemon",
                    "make one of it by 'fairlead dev add' with vhost-vdpa=%s and name that, or say mode='direct'"
                            .formatted(source.dev()));
        }
        NodeDevice device = claim(id, source.dev());
        return new VdpaAttachment.Shared(QemuModel.of(device.device(), device.socket()));
    }

    @Override
    public VdpaAttachment vdpaOf(String id, Address.Pci function) throws DomainException {
        throw refused(
                id,
                "PCI function %s is not made into a vDPA device by this daemon".formatted(function),
                "bind it by 'fairlead dev bind', make a device of it, and name that");
    }

    /** A device of Fairlead's own, for the machine's lifetime. */
    @Override
    public Path virtiofs(String id, Filesystem filesystem) throws DomainException {
        if (filesystem.binary() != null) {
            throw refused(
                    id,
                    "a daemon of one's own (%s) is not started".formatted(filesystem.binary()),
                    "start it, and name its socket; or leave <binary> out, and Fairlead serves the folder");
        }
        Map<String, String> attributes = Map.of(
                "path",
                String.valueOf(filesystem.dir()),
                "tag",
                filesystem.tag(),
                "readonly",
                filesystem.readOnly() ? "on" : "off");
        try {
            var _ = devices.add(id, DeviceId.FS, attributes, DeviceOwner.runOf(machine));
        } catch (ApiException | IOException | IllegalArgumentException e) {
            throw refused(id, String.valueOf(e.getMessage()), "correct that, and start the machine again");
        }
        return claim(id, id).socket();
    }

    @Override
    public String tap(String id, NetworkInterface nic) throws DomainException {
        throw refused(
                id,
                "a TAP device of QEMU's own is not made",
                "make a device by 'fairlead dev add' with type=net and tap=NAME, and name it in"
                        + " <interface type='generic-vdpa'>");
    }

    @Override
    public Path socket(String id, CharacterDevice device) {
        return folder.channel(id);
    }

    @Override
    public int cid(Vsock vsock) throws DomainException {
        throw refused(
                "vsock",
                "no number is chosen for it",
                "give it one: <cid auto='no' address='3'/>, or use a device of type vsock");
    }

    @Override
    public Firmware firmware(Domain domain) throws DomainException {
        Boot.Nvram nvram = domain.boot().nvram();
        Firmware found = FIRMWARE.stream()
                .filter(firmware -> Files.isReadable(firmware.code()) && Files.isReadable(firmware.variables()))
                .findFirst()
                .orElseThrow(() -> refused(
                        "os", "this host has no UEFI firmware", "install it (Debian: ovmf), or name a <loader>"));
        Path variables = nvram == null || nvram.path() == null ? folder.variables() : Path.of(nvram.path());
        Path template = nvram == null || nvram.template() == null ? found.variables() : Path.of(nvram.template());
        try {
            if (!Files.exists(variables)) {
                Path _ = Files.copy(template, variables);
            }
        } catch (IOException e) {
            throw refused("os", "the firmware's variables cannot be copied: " + e.getMessage(), "make room for them");
        }
        return new Firmware(found.code(), variables);
    }
}
