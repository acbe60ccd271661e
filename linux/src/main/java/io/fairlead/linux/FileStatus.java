package io.fairlead.linux;

/**
 * What statx(2) says of an open file.
 *
 * @param sizeBytes length of a regular file; 0 for a block device, see {@link BlockDevice#sizeBytes}
 * @param mode file type and permissions, as {@code st_mode}
 * @param deviceMajor major number of the device that holds the file
 * @param deviceMinor its minor number
 * @param inode the file's number on that device
 * @param ownDeviceMajor for a device file the major number that it stands for, else 0
 * @param ownDeviceMinor its minor number
 * @param blockSizeBytes size that is good for I/O
 * @param blocks512 allocated space in units of 512 bytes
 */
public record FileStatus(
        long sizeBytes,
        int mode,
        int deviceMajor,
        int deviceMinor,
        long inode,
        int ownDeviceMajor,
        int ownDeviceMinor,
        int blockSizeBytes,
        long blocks512) {
    private static final int TYPE_MASK = 0xf000;
    private static final int SOCKET = 0xc000;
    private static final int REGULAR = 0x8000;
    private static final int BLOCK_DEVICE = 0x6000;
    private static final int FOLDER = 0x4000;
    private static final int CHARACTER_DEVICE = 0x2000;

    public boolean isRegular() {
        return (mode & TYPE_MASK) == REGULAR;
    }

    public boolean isBlockDevice() {
        return (mode & TYPE_MASK) == BLOCK_DEVICE;
    }

    public boolean isCharacterDevice() {
        return (mode & TYPE_MASK) == CHARACTER_DEVICE;
    }

    public boolean isFolder() {
        return (mode & TYPE_MASK) == FOLDER;
    }

    public boolean isSocket() {
        return (mode & TYPE_MASK) == SOCKET;
    }

    /** The permission bits, such as {@code 0600}. */
    public int permissions() {
        return mode & 07777;
    }

    /** Whether both are the same file: same number on the same device. */
    public boolean isSameFile(FileStatus other) {
        return inode == other.inode && deviceMajor == other.deviceMajor && deviceMinor == other.deviceMinor;
    }
}
