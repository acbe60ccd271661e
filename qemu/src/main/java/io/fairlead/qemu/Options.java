package io.fairlead.qemu;

/** QEMU's option syntax: key=value pairs separated by commas. */
final class Options {
    private Options() {}

    /** A value in which commas are doubled, so that it cannot end its option. */
    static String escape(String value) {
        return value.replace(",", ",,");
    }
}
