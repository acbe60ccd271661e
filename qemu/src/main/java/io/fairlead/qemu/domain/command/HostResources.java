package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.Vsock;
import java.nio.file.Path;

/**
 * What a host has for a domain's devices; asked while the command line is made, once for each device. What it tells must be
 * there before QEMU starts. Every method may refuse.
 */
public interface HostResources {
    /** A UEFI firmware and the machine's own copy of its variables. */
    record Firmware(Path code, Path variables) {}

    /**
     * A vDPA device.
     *
     * @param id that the device shall have in QEMU
     */
    VdpaAttachment vdpa(String id, VdpaSource source) throws DomainException;

    /** The vDPA device that was made of a PCI function of the host. */
    VdpaAttachment vdpaOf(String id, Address.Pci function) throws DomainException;

    /** The socket of the daemon that was started for a folder. */
    Path virtiofs(String id, Filesystem filesystem) throws DomainException;

    /** The name of the TAP device of a network card at a bridge or with a TAP device of its own. */
    String tap(String id, NetworkInterface nic) throws DomainException;

    /** Where a channel whose document does not say has its socket. */
    Path socket(String id, CharacterDevice device) throws DomainException;

    /** A free number for a guest's sockets. */
    int cid(Vsock vsock) throws DomainException;

    /**
     * The firmware for a domain that wants UEFI; its nvram's path and
     * template are to be followed where it has them. Asked, too, for the variables of a loader of the user's.
     */
    Firmware firmware(Domain domain) throws DomainException;
}
