package io.fairlead.virtio;

/**
 * Where the fields of a virtqueue lie in memory, for both layouts and both sides. Little-endian throughout; offsets and
 * sizes in bytes; {@code size} is the number of ring entries.
 *
 * <p>Split ring (virtio 1.4, 2.7):
 *
 * <pre>
 * struct virtq_desc  { le64 addr; le32 len; le16 flags; le16 next; };               // times size
 * struct virtq_avail { le16 flags; le16 idx; le16 ring[size]; le16 used_event; };
 * struct virtq_used  { le16 flags; le16 idx; struct { le32 id; le32 len; } ring[size]; le16 avail_event; };
 * </pre>
 *
 * <p>Packed ring (virtio 1.4, 2.8):
 *
 * <pre>
 * struct pvirtq_desc { le64 addr; le32 len; le16 id; le16 flags; };                 // times size
 * struct pvirtq_event_suppress { le16 desc; le16 flags; };                          // desc: offset 0..14, wrap 15
 * </pre>
 */
public final class RingLayout {
    /** The largest number of entries of either layout. */
    public static final int MAX_SIZE = 32768;

    // ---- descriptors ----

    /** Bytes of one descriptor of either layout, in the ring and in an indirect table. */
    public static final int DESCRIPTOR_BYTES = 16;

    public static final int DESCRIPTOR_ALIGNMENT = 16;

    public static final int DESCRIPTOR_ADDRESS = 0;
    public static final int DESCRIPTOR_LENGTH = 8;
    public static final int SPLIT_DESCRIPTOR_FLAGS = 12;
    public static final int SPLIT_DESCRIPTOR_NEXT = 14;
    public static final int PACKED_DESCRIPTOR_ID = 12;
    public static final int PACKED_DESCRIPTOR_FLAGS = 14;

    /** Descriptor flag, a mask: the chain goes on (split: at next; packed: in the next slot). */
    public static final int NEXT = 1;

    /** Descriptor flag, a mask: device-writable; otherwise device-readable. */
    public static final int WRITE = 1 << 1;

    /** Descriptor flag, a mask: the buffer is a table of descriptors. */
    public static final int INDIRECT = 1 << 2;

    /** Packed descriptor flag, a mask: the driver's wrap counter. */
    public static final int PACKED_AVAIL = 1 << 7;

    /** Packed descriptor flag, a mask: its inverse while available, the same once used. */
    public static final int PACKED_USED = 1 << 15;

    // ---- split: available ring, used ring ----

    public static final int AVAILABLE_ALIGNMENT = 2;
    public static final int USED_ALIGNMENT = 4;

    public static final int AVAILABLE_FLAGS = 0;
    public static final int AVAILABLE_INDEX = 2;
    public static final int AVAILABLE_RING = 4;
    public static final int USED_FLAGS = 0;
    public static final int USED_INDEX = 2;
    public static final int USED_RING = 4;

    public static final int USED_ELEMENT_BYTES = 8;

    /** In a used element: head of the chain, 32 bits. */
    public static final int USED_ELEMENT_ID = 0;

    /** In a used element: bytes written, 32 bits. */
    public static final int USED_ELEMENT_LENGTH = 4;

    /** Flag of the available ring: the driver wants no used-buffer notifications (no EVENT_IDX). */
    public static final int AVAILABLE_NO_INTERRUPT = 1;

    /** Flag of the used ring: the device wants no available-buffer notifications (no EVENT_IDX). */
    public static final int USED_NO_NOTIFY = 1;

    // ---- packed: event suppression ----

    public static final int EVENT_BYTES = 4;
    public static final int EVENT_ALIGNMENT = 4;

    /** Offset 0..14 and wrap counter 15 of the descriptor to notify for. */
    public static final int EVENT_DESCRIPTOR = 0;

    public static final int EVENT_FLAGS = 2;

    public static final int EVENT_FLAGS_ENABLE = 0;
    public static final int EVENT_FLAGS_DISABLE = 1;

    /** Notify for the descriptor named in {@link #EVENT_DESCRIPTOR}; only with EVENT_IDX. */
    public static final int EVENT_FLAGS_DESCRIPTOR = 2;

    /** The bits of the event flags that have a meaning. */
    public static final int EVENT_FLAGS_MASK = 3;

    /** The wrap counter in {@link #EVENT_DESCRIPTOR}. */
    public static final int EVENT_WRAP = 1 << 15;

    private RingLayout() {}

    /** Bytes of a descriptor table (split) or descriptor ring (packed). */
    public static long descriptorBytes(int size) {
        return (long) DESCRIPTOR_BYTES * size;
    }

    /** Offset of a descriptor in its table or ring. */
    public static long descriptor(int index) {
        return (long) DESCRIPTOR_BYTES * index;
    }

    /** Bytes of an available ring, with used_event where EVENT_IDX is negotiated. */
    public static long availableBytes(int size, boolean eventIndex) {
        return AVAILABLE_RING + 2L * size + (eventIndex ? 2 : 0);
    }

    /** Offset of an available ring entry; {@code slot} is the index modulo the size. */
    public static long availableEntry(int slot) {
        return AVAILABLE_RING + 2L * slot;
    }

    /** Offset of used_event, written by the driver, behind the available ring. */
    public static long usedEvent(int size) {
        return AVAILABLE_RING + 2L * size;
    }

    /** Bytes of a used ring, with avail_event where EVENT_IDX is negotiated. */
    public static long usedBytes(int size, boolean eventIndex) {
        return USED_RING + (long) USED_ELEMENT_BYTES * size + (eventIndex ? 2 : 0);
    }

    /** Offset of a used ring element; {@code slot} is the index modulo the size. */
    public static long usedElement(int slot) {
        return USED_RING + (long) USED_ELEMENT_BYTES * slot;
    }

    /** Offset of avail_event, written by the device, behind the used ring. */
    public static long availableEvent(int size) {
        return USED_RING + (long) USED_ELEMENT_BYTES * size;
    }

    /** Whether a ring of the layout may have so many entries; split: a power of two. */
    public static boolean isValidSize(int size, boolean packed) {
        return size >= 1 && size <= MAX_SIZE && (packed || Integer.bitCount(size) == 1);
    }

    /**
     * Whether a side that moved its 16-bit index from {@code oldIndex} to {@code newIndex} passed the entry
     * {@code event}, for which the other wants to be notified (virtio 1.4, 2.7.7.2 and 2.7.10).
     */
    public static boolean passed(int event, int newIndex, int oldIndex) {
        return ((newIndex - event - 1) & 0xffff) < ((newIndex - oldIndex) & 0xffff);
    }
}
