package io.fairlead.devices.fs;

import io.fairlead.devices.storage.VolumeId;
import io.fairlead.linux.FileIo;
import java.io.IOException;

/** Which folder is exported, as other hosts know it. */
final class ExportId {
    private ExportId() {}

    /** What the user says, else what can be told from the file system; empty where nothing can. */
    static String of(FsSettings settings) {
        if (!settings.export().isEmpty()) {
            return settings.export();
        }
        try {
            return VolumeId.of(settings.path(), FileIo.status(settings.path().toRealPath()));
        } catch (IOException e) {
            return "";
        }
    }
}
