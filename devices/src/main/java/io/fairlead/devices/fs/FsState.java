package io.fairlead.devices.fs;

/**
 * What the guest has of an exported folder, as it goes along when the machine moves: the files that it knows, each by its
 * number, time of birth and name in a folder, those that it has open, and its locks.
 *
 * <pre>{@code
 * u32 version (2), u32 FUSE minor version, u64 negotiated flags, u64 generation of file numbers
 * u64 the root's inode, u64 its birth (nanoseconds)
 * u32 files:   u64 node id, u64 lookups, u64 inode, u64 birth, u16 type, u64 folder's node id, u16 bytes, name in it
 * u32 handles: u64 handle, u64 node id, u32 flags, u8 flock, u8 bytes, file handle where the file has no name
 * u32 locks:   u64 node id, u64 owner, u64 start, u64 end, u8 type, u32 pid
 * }</pre>
 *
 * <p>Big-endian. A folder that the guest has forgotten, and that only says where others are, has no lookups and a negative
 * node id. The host is asked about the files that are open and no others: what is known besides is looked up at the
 * destination when the guest uses it, and is ESTALE where it is not the same file. So the time that this takes while the
 * machine stands still does not depend on what the host's file system has to do for files that are only known.
 */
final class FsState {
    static final int VERSION = 2;

    /** Leaves room for the rest of a device's state. */
    static final int MAX_BYTES = 15 << 20;

    private FsState() {}
}
