package io.fairlead.systemtests;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How a disk has to be, so that a machine can move between it and the other host's.
 *
 * @param image what is stored: a file, or a block device, which is then used past the page cache
 * @param features of the disk's features only these are offered
 * @param queues of the disk
 */
record DiskNeeds(Path image, long features, int queues) {
    static final String VOLUME = "data";
    static final String SERIAL = "fairlead-data";

    boolean isBlockDevice() {
        return !Files.isRegularFile(image);
    }
}
