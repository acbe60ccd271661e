package io.fairlead.qemu;

import java.util.Comparator;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The version of a QEMU program. */
public record QemuVersion(int major, int minor, int micro) implements Comparable<QemuVersion> {
    private static final Pattern BANNER =
            Pattern.compile("\\bversion ([0-9]{1,4})\\.([0-9]{1,4})(?:\\.([0-9]{1,4}))?(?![0-9])");
    private static final Comparator<QemuVersion> ORDER = Comparator.comparingInt(QemuVersion::major)
            .thenComparingInt(QemuVersion::minor)
            .thenComparingInt(QemuVersion::micro);

    /**
     * Finds the version in what a program of QEMU prints for {@code --version}.
     *
     * @param banner for example {@code QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)}
     */
    public static Optional<QemuVersion> parse(String banner) {
        Matcher matcher = BANNER.matcher(banner);
        if (!matcher.find()) {
            return Optional.empty();
        }
        String micro = matcher.group(3);
        return Optional.of(new QemuVersion(
                Integer.parseInt(matcher.group(1)),
                Integer.parseInt(matcher.group(2)),
                micro == null ? 0 : Integer.parseInt(micro)));
    }

    /** Whether this version is {@code major.minor} or later. */
    public boolean isAtLeast(int otherMajor, int otherMinor) {
        return compareTo(new QemuVersion(otherMajor, otherMinor, 0)) >= 0;
    }

    @Override
    public int compareTo(QemuVersion other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return major + "." + minor + "." + micro;
    }
}
