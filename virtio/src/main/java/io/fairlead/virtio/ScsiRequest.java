package io.fairlead.virtio;

/**
 * Requests and events of the SCSI host (virtio 1.4, 5.6.6). All numbers are little-endian but those within a CDB and
 * within what a SCSI command transfers.
 *
 * <pre>{@code
 * request queues:
 * struct virtio_scsi_req_cmd {
 *         u8 lun[8]; le64 id; u8 task_attr; u8 prio; u8 crn; u8 cdb[cdb_size];
 *         ... data to the device
 *         le32 sense_len; le32 residual; le16 status_qualifier; u8 status; u8 response; u8 sense[sense_size];
 *         ... data from the device
 * };
 * control queue:
 * struct virtio_scsi_ctrl_tmf { le32 type; le32 subtype; u8 lun[8]; le64 id;  u8 response; };
 * struct virtio_scsi_ctrl_an { le32 type; u8 lun[8]; le32 event_requested;  le32 event_actual; u8 response; };
 * event queue:
 * struct virtio_scsi_event { le32 event; u8 lun[8]; le32 reason; };
 * }</pre>
 */
public final class ScsiRequest {
    /** The queues before the request queues. */
    public static final int CONTROL_QUEUE = 0;

    public static final int EVENT_QUEUE = 1;
    public static final int FIRST_REQUEST_QUEUE = 2;

    public static final int LUN_OFFSET = 0;
    public static final int TAG_OFFSET = 8;
    public static final int CDB_OFFSET = 19;

    public static final int SENSE_COUNT_OFFSET = 0;
    public static final int RESIDUAL_OFFSET = 4;
    public static final int STATUS_OFFSET = 10;
    public static final int RESPONSE_OFFSET = 11;
    public static final int SENSE_OFFSET = 12;

    /** The command came to its end, which its SCSI status tells. */
    public static final int RESPONSE_OK = 0;

    /** The data does not fit the buffers. */
    public static final int RESPONSE_OVERRUN = 1;

    public static final int RESPONSE_BAD_TARGET = 3;
    public static final int RESPONSE_FAILURE = 9;
    public static final int RESPONSE_FUNCTION_COMPLETE = 0;
    public static final int RESPONSE_FUNCTION_SUCCEEDED = 10;
    public static final int RESPONSE_FUNCTION_REJECTED = 11;
    public static final int RESPONSE_INCORRECT_LUN = 12;

    public static final int CONTROL_TASK_MANAGEMENT = 0;
    public static final int CONTROL_EVENT_QUERY = 1;
    public static final int CONTROL_EVENT_SUBSCRIBE = 2;

    public static final int TMF_BYTES = 24;
    public static final int TMF_SUBTYPE_OFFSET = 4;
    public static final int TMF_LUN_OFFSET = 8;
    public static final int TMF_TAG_OFFSET = 16;
    public static final int TMF_ABORT_TASK = 0;
    public static final int TMF_ABORT_TASK_SET = 1;
    public static final int TMF_CLEAR_ACA = 2;
    public static final int TMF_CLEAR_TASK_SET = 3;
    public static final int TMF_I_T_NEXUS_RESET = 4;
    public static final int TMF_LOGICAL_UNIT_RESET = 5;
    public static final int TMF_QUERY_TASK = 6;
    public static final int TMF_QUERY_TASK_SET = 7;

    public static final int EVENT_REQUEST_BYTES = 16;
    public static final int EVENT_REQUEST_LUN_OFFSET = 4;
    public static final int EVENT_ANSWER_BYTES = 5;

    public static final int EVENT_BYTES = 16;
    public static final int EVENT_NONE = 0;
    public static final int EVENT_TRANSPORT_RESET = 1;
    public static final int EVENT_PARAMETER_CHANGE = 3;

    /** Events were lost: the driver shall look at everything again. */
    public static final int EVENTS_MISSED = 1 << 31;

    public static final int REASON_RESCAN = 1;
    public static final int REASON_REMOVED = 2;

    /** The highest number of a logical unit in the flat form. */
    public static final int MAX_LUN = 16383;

    private ScsiRequest() {}

    /**
     * The logical unit that eight bytes address at target 0, by single level or flat form.
     *
     * @param bytes as they lie in memory, read as a little-endian number
     * @return -1 where there cannot be one: another target or form
     */
    public static int lun(long bytes) {
        int format = (int) bytes & 0xff;
        int target = (int) (bytes >>> 8) & 0xff;
        int high = (int) (bytes >>> 16) & 0xff;
        int low = (int) (bytes >>> 24) & 0xff;
        if (format != 1 || target != 0 || bytes >>> 32 != 0) {
            return -1;
        }
        if (high >> 6 == 1) {
            return (high & 0x3f) << 8 | low;
        }
        return high == 0 ? low : -1;
    }

    /**
     * The eight bytes that address a logical unit of target 0, as {@link #lun} reads them: below 256 by the single level
     * form, as REPORT LUNS lists it. Drivers know a unit in an event by the form of that list alone.
     */
    public static long address(int lun) {
        long high = lun < 256 ? 0 : 0x40 | (lun >> 8);
        return 1 | high << 16 | (long) (lun & 0xff) << 24;
    }
}
