package io.fairlead.devices.storage;

import io.fairlead.linux.FileStatus;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * What a file or block device is for other hosts: two ids are equal only where both mean the same storage. Where nothing
 * is known that could be compared, the id is empty, and it takes the user to say that two disks are one.
 */
public final class VolumeId {
    private static final Path ROOT = Path.of("/");

    /** File systems that show a file under the same number wherever they are mounted from the same source. */
    private static final Set<String> NETWORK =
            Set.of("nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "beegfs", "fuse.glusterfs");

    /** Where the kernel tells the unique id of a disk: SCSI, NVMe, device mapper, MD, virtio. */
    private static final List<String> DISK_IDS = List.of("device/wwid", "wwid", "dm/uuid", "md/uuid", "serial");

    private VolumeId() {}

    /** @param status of the file that was opened by the path */
    public static String of(Path path, FileStatus status) {
        return of(path, status, ROOT);
    }

    /** @param root where {@code sys} and {@code proc} are */
    static String of(Path path, FileStatus status, Path root) {
        try {
            return status.isBlockDevice() ? ofDevice(status, root) : ofFile(Files.getFileStore(path), status, root);
        } catch (IOException e) {
            return "";
        }
    }

    private static String ofDevice(FileStatus status, Path root) throws IOException {
        Path device = root.resolve("sys/dev/block/%d:%d".formatted(status.ownDeviceMajor(), status.ownDeviceMinor()))
                .toRealPath();
        String partition = text(device.resolve("partition"));
        if (partition.isEmpty()) {
            return diskId(device);
        }
        Path disk = device.getParent();
        String id = disk == null ? "" : diskId(disk);
        return id.isEmpty() ? "" : "%s-part%s".formatted(id, partition);
    }

    private static String diskId(Path disk) throws IOException {
        for (String name : DISK_IDS) {
            String id = text(disk.resolve(name));
            if (!id.isEmpty()) {
                return "disk:" + id;
            }
        }
        return "";
    }

    private static String ofFile(FileStore store, FileStatus status, Path root) throws IOException {
        if (NETWORK.contains(store.type())) {
            return "%s:%s#%d".formatted(store.type(), store.name(), status.inode());
        }
        // Numbers of devices and files mean something only on the kernel that gave them.
        String boot = text(root.resolve("proc/sys/kernel/random/boot_id"));
        return boot.isEmpty()
                ? ""
                : "file:%s/%d:%d#%d".formatted(boot, status.deviceMajor(), status.deviceMinor(), status.inode());
    }

    private static String text(Path file) throws IOException {
        return Files.isReadable(file) ? Files.readString(file).strip().replaceAll("\\s+", " ") : "";
    }
}
