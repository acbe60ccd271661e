package io.fairlead.cli;

import io.fairlead.kernel.management.DevicePermissions;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Where the permissions of character devices come from. */
final class PermissionsMixin {
    @Option(
            names = "--permissions",
            paramLabel = "FILE",
            description = {
                "Who may open character devices: lines of TYPE OWNER:GROUP MODE, such as 'net root:kvm 0660', '*' for"
                        + " other types. Default: /etc/fairlead/device-permissions, if it is there."
            })
    private Path file = DevicePermissions.DEFAULT_FILE;

    /** @throws IOException where a line is wrong, or a file that was named is not there */
    DevicePermissions read() throws IOException {
        return DevicePermissions.read(file);
    }
}
