package io.fairlead.qemu.domain;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a machine is and how it boots.
 *
 * @param arch {@code x86_64}, or {@code i686}, which the same QEMU runs
 * @param machine QEMU's machine type; null for q35
 * @param efi whether Fairlead chooses a UEFI firmware
 * @param loader a firmware of the user's
 * @param nvram where its variables are kept
 * @param kernel that is booted directly
 * @param devices kinds of devices to boot from, in this order
 */
public record Boot(
        String arch,
        @Nullable String machine,
        boolean efi,
        @Nullable Loader loader,
        @Nullable Nvram nvram,
        @Nullable Kernel kernel,
        List<Source> devices) {
    /**
     * A firmware.
     *
     * @param pflash whether it lies in flash memory, as UEFI does; else in read-only memory
     * @param secure whether only code in system management mode may write variables
     */
    public record Loader(String path, boolean readOnly, boolean pflash, boolean secure) {}

    /**
     * A firmware's variables.
     *
     * @param path null where the caller chooses
     * @param template what they are copied from the first time
     */
    public record Nvram(@Nullable String path, @Nullable String template) {}

    /** A kernel of the host's. */
    public record Kernel(
            String kernel,
            @Nullable String initrd,
            @Nullable String arguments) {}

    /** A kind of device. */
    public enum Source implements Word {
        HD,
        CDROM,
        NETWORK,
        FD
    }

    public Boot {
        devices = List.copyOf(devices);
    }

    /** The same with this machine type. */
    public Boot withMachine(String value) {
        return new Boot(arch, value, efi, loader, nvram, kernel, devices);
    }

    /** The machine type, whether it is said or not. */
    public String machineType() {
        return machine == null ? "q35" : machine;
    }
}
