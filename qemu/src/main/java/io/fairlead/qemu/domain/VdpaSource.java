package io.fairlead.qemu.domain;

import java.util.regex.Pattern;

/**
 * A vDPA device as a document names it: {@code /dev/vhost-vdpa-N}, a link in {@code /dev/fairlead}, or the name of a device
 * of Fairlead's or of the kernel's.
 *
 * @param dev as in the document
 * @param mode who opens it
 */
public record VdpaSource(String dev, Mode mode) {
    private static final Pattern PATH =
            Pattern.compile("/dev/(vhost-vdpa-[0-9]{1,6}|fairlead/[A-Za-z0-9][A-Za-z0-9._:-]{0,63})");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}");

    /** What may be written as dev. */
    public static final String FORMS =
            "/dev/vhost-vdpa-N, /dev/fairlead/NAME, or a device's name of letters, digits, . _ : -";

    /** Who opens a kernel's device. */
    public enum Mode implements Word {
        /** Fairlead, which presents it to QEMU by vhost-user: the machine migrates and the device may be replaced. */
        MANAGED,
        /** QEMU itself: nothing of Fairlead's is between, and the machine does not migrate. */
        DIRECT
    }

    public VdpaSource {
        if (!isValid(dev)) {
            throw new IllegalArgumentException("Not a vDPA device: " + dev);
        }
    }

    /** Whether a text names a device. */
    public static boolean isValid(String dev) {
        return PATH.matcher(dev).matches() || NAME.matcher(dev).matches();
    }

    /** Whether it is a file and not a name. */
    public boolean isPath() {
        return dev.startsWith("/");
    }

    /** The same with another mode. */
    public VdpaSource with(Mode other) {
        return new VdpaSource(dev, other);
    }
}
