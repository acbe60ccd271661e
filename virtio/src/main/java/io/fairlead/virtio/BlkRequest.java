package io.fairlead.virtio;

/**
 * Requests of the block device (virtio 1.4, 5.2.6): types, layouts and status values. Numbers are little-endian, sectors
 * of 512 bytes.
 *
 * <pre>{@code
 * struct virtio_blk_req {
 *         le32 type;                         // device-readable header
 *         le32 reserved;
 *         le64 sector;
 *         u8 data[];                         // readable or writable by type
 *         u8 status;                         // the last device-writable byte
 * };
 * struct virtio_blk_discard_write_zeroes {   // each segment of DISCARD, WRITE_ZEROES, SECURE_ERASE
 *         le64 sector;
 *         le32 num_sectors;
 *         le32 flags;                        // bit 0: unmap, for WRITE_ZEROES alone
 * };
 * struct virtio_blk_lifetime {               // data of GET_LIFETIME
 *         le16 pre_eol_info;
 *         le16 device_lifetime_est_typ_a;
 *         le16 device_lifetime_est_typ_b;
 * };
 * }</pre>
 *
 * A ZONE_APPEND has {@code le64 append_sector}, device-writable, before its status.
 */
public final class BlkRequest {
    public static final int SECTOR_BYTES = 512;
    public static final int SECTOR_SHIFT = 9;

    // ---- request types ----

    public static final int IN = 0;
    public static final int OUT = 1;
    public static final int FLUSH = 4;
    public static final int GET_ID = 8;
    public static final int GET_LIFETIME = 10;
    public static final int DISCARD = 11;
    public static final int WRITE_ZEROES = 13;
    public static final int SECURE_ERASE = 14;
    public static final int ZONE_APPEND = 15;
    public static final int ZONE_REPORT = 16;
    public static final int ZONE_OPEN = 18;
    public static final int ZONE_CLOSE = 20;
    public static final int ZONE_FINISH = 22;
    public static final int ZONE_RESET = 24;
    public static final int ZONE_RESET_ALL = 26;

    // ---- header ----

    public static final int HEADER_BYTES = 16;

    /** u32. */
    public static final int TYPE_OFFSET = 0;

    /** u64, in sectors. */
    public static final int SECTOR_OFFSET = 8;

    // ---- segments of discard, write zeroes and secure erase ----

    public static final int SEGMENT_BYTES = 16;

    /** u64, first sector. */
    public static final int SEGMENT_SECTOR_OFFSET = 0;

    /** u32. */
    public static final int SEGMENT_SECTOR_COUNT_OFFSET = 8;

    /** u32. */
    public static final int SEGMENT_FLAGS_OFFSET = 12;

    /** The device may deallocate the sectors; all other flags are reserved and refused. */
    public static final int SEGMENT_FLAG_UNMAP = 1;

    // ---- data of other types ----

    /** GET_ID: ASCII, padded with NUL; no NUL where all bytes are in use. */
    public static final int ID_BYTES = 20;

    public static final int LIFETIME_BYTES = 6;

    // ---- status ----

    public static final int STATUS_BYTES = 1;
    public static final byte STATUS_OK = 0;
    public static final byte STATUS_IOERR = 1;
    public static final byte STATUS_UNSUPP = 2;
    public static final byte STATUS_ZONE_INVALID_CMD = 3;
    public static final byte STATUS_ZONE_UNALIGNED_WP = 4;
    public static final byte STATUS_ZONE_OPEN_RESOURCE = 5;
    public static final byte STATUS_ZONE_ACTIVE_RESOURCE = 6;

    private BlkRequest() {}

    /** The name of a request type, such as {@code WRITE_ZEROES}; {@code type 77} for one that is none. */
    public static String typeName(int type) {
        return switch (type) {
            case IN -> "IN";
            case OUT -> "OUT";
            case FLUSH -> "FLUSH";
            case GET_ID -> "GET_ID";
            case GET_LIFETIME -> "GET_LIFETIME";
            case DISCARD -> "DISCARD";
            case WRITE_ZEROES -> "WRITE_ZEROES";
            case SECURE_ERASE -> "SECURE_ERASE";
            case ZONE_APPEND -> "ZONE_APPEND";
            case ZONE_REPORT -> "ZONE_REPORT";
            case ZONE_OPEN -> "ZONE_OPEN";
            case ZONE_CLOSE -> "ZONE_CLOSE";
            case ZONE_FINISH -> "ZONE_FINISH";
            case ZONE_RESET -> "ZONE_RESET";
            case ZONE_RESET_ALL -> "ZONE_RESET_ALL";
            default -> "type " + Integer.toUnsignedString(type);
        };
    }
}
