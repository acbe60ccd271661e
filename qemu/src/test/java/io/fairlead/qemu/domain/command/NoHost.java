package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.Vsock;
import java.nio.file.Path;

/** Names everything after the device that asks; a source whose name begins with a type is of that type. */
record NoHost() implements HostResources {
    @Override
    public VdpaAttachment vdpa(String id, VdpaSource source) {
        if (source.mode() == VdpaSource.Mode.DIRECT) {
            return new VdpaAttachment.Direct(DirectVdpaDevice.of(id, Path.of(source.dev())));
        }
        Path socket = Path.of("/run/" + id + ".sock");
        if (source.dev().startsWith("net")) {
            return new VdpaAttachment.Shared(VhostUserDevice.net(id, socket));
        }
        return new VdpaAttachment.Shared(
                source.dev().startsWith("scsi") ? VhostUserDevice.scsi(id, socket) : VhostUserDevice.blk(id, socket));
    }

    @Override
    public VdpaAttachment vdpaOf(String id, Address.Pci function) {
        return new VdpaAttachment.Shared(VhostUserDevice.net(id, Path.of("/run/" + function + ".sock")));
    }

    @Override
    public Path virtiofs(String id, Filesystem filesystem) {
        return Path.of("/run/" + id + ".sock");
    }

    @Override
    public String tap(String id, NetworkInterface nic) {
        return "tap-" + id;
    }

    @Override
    public Path socket(String id, CharacterDevice device) {
        return Path.of("/run/" + id + ".sock");
    }

    @Override
    public int cid(Vsock vsock) {
        return 42;
    }

    @Override
    public Firmware firmware(Domain domain) {
        return new Firmware(Path.of("/fw/code.fd"), Path.of("/fw/" + domain.name() + ".fd"));
    }
}
