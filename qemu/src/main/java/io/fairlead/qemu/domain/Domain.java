package io.fairlead.qemu.domain;

import io.fairlead.qemu.domain.xml.XmlElement;
import java.util.List;
import java.util.UUID;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A machine as libvirt's domain XML describes it. Immutable; equal to what its own printed document reads back as.
 *
 * @param type what runs its processors
 * @param name unique on a host; fit for a file's name
 * @param metadata the element, whatever is in it
 * @param clock {@code utc} or {@code localtime}
 */
public record Domain(
        Type type,
        String name,
        @Nullable UUID uuid,
        @Nullable String title,
        @Nullable String description,
        @Nullable XmlElement metadata,
        Memory memory,
        Cpu cpu,
        Boot boot,
        Features features,
        String clock,
        Lifecycle lifecycle,
        List<Device> devices,
        QemuExtras qemu,
        Kept kept) {
    private static final Pattern NAME = Pattern.compile("[\\p{L}\\p{N}_][\\p{L}\\p{N} ._+:@#()=-]{0,79}");

    /** What a name may consist of. */
    public static final String NAME_FORM =
            "1 to 80 letters, digits, blanks and . _ + : @ # ( ) = -, a letter, digit or _ first";

    /** What runs a machine's processors. */
    public enum Type implements Word {
        KVM,
        /** Emulation. */
        QEMU
    }

    public Domain {
        devices = List.copyOf(devices);
    }

    /** Whether a name can be a machine's: it also names folders and files. */
    public static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    /** The devices of one kind, in order. */
    public <D extends Device> List<D> devices(Class<D> kind) {
        return devices.stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    /** The same with this UUID. */
    public Domain withUuid(UUID value) {
        return new Domain(
                type,
                name,
                value,
                title,
                description,
                metadata,
                memory,
                cpu,
                boot,
                features,
                clock,
                lifecycle,
                devices,
                qemu,
                kept);
    }

    /** The same with other devices. */
    public Domain withDevices(List<Device> value) {
        return new Domain(
                type,
                name,
                uuid,
                title,
                description,
                metadata,
                memory,
                cpu,
                boot,
                features,
                clock,
                lifecycle,
                value,
                qemu,
                kept);
    }

    /** The same with each device replaced. */
    public Domain mapDevices(UnaryOperator<Device> change) {
        return withDevices(devices.stream().map(change).toList());
    }

    /** The same with another boot. */
    public Domain withBoot(Boot value) {
        return new Domain(
                type,
                name,
                uuid,
                title,
                description,
                metadata,
                memory,
                cpu,
                value,
                features,
                clock,
                lifecycle,
                devices,
                qemu,
                kept);
    }

    /** The same with other memory. */
    public Domain withMemory(Memory value) {
        return new Domain(
                type,
                name,
                uuid,
                title,
                description,
                metadata,
                value,
                cpu,
                boot,
                features,
                clock,
                lifecycle,
                devices,
                qemu,
                kept);
    }

    /** The same with other metadata and other arguments for QEMU. */
    public Domain with(@Nullable XmlElement otherMetadata, QemuExtras otherQemu) {
        return new Domain(
                type,
                name,
                uuid,
                title,
                description,
                otherMetadata,
                memory,
                cpu,
                boot,
                features,
                clock,
                lifecycle,
                devices,
                otherQemu,
                kept);
    }
}
