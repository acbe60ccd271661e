package io.fairlead.testbed;

/** The releases of QEMU that the test-bed can fetch. */
public enum QemuRelease {
    /** Debian bookworm-backports: 10.0. */
    V10,
    /** Debian trixie-backports: 11.1 or later. */
    V11;

    PackageSet packages() {
        return switch (this) {
            case V10 -> PackageSet.QEMU_10;
            case V11 -> PackageSet.QEMU_11;
        };
    }
}
