package io.fairlead.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Which run of the host this is: within one, whatever was written to a file is there. */
public final class BootId {
    private BootId() {}

    /** @throws IOException where the kernel does not tell */
    public static String current() throws IOException {
        return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
    }
}
