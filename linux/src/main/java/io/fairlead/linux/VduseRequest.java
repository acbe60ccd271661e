package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;

/** What the kernel asks of a VDUSE device ({@code struct vduse_dev_request}). Each is answered once, by its id. */
public sealed interface VduseRequest {
    /** Bytes of a message. */
    int BYTES = VduseLayout.REQUEST_BYTES;

    int id();

    /** Where does a queue stand? */
    record GetQueueState(int id, int queue) implements VduseRequest {}

    /** The driver writes the device status; 0 is a reset. */
    record SetStatus(int id, int status) implements VduseRequest {}

    /** Memory has changed somewhere in a range of I/O addresses. */
    record UpdateIotlb(int id, long start, long last, int addressSpace) implements VduseRequest {}

    /** A group of queues gets another address space. API version 1. */
    record SetGroupAddressSpace(int id, int group, int addressSpace) implements VduseRequest {}

    /** A queue becomes ready or stops. Where {@link Vduse#VDUSE_F_QUEUE_READY} was set. */
    record SetQueueReady(int id, int queue, boolean ready) implements VduseRequest {}

    /** The device shall stop as a whole. Where {@link Vduse#VDUSE_F_SUSPEND} was set. */
    record Suspend(int id) implements VduseRequest {}

    /** What a newer kernel may ask. */
    record Unknown(int id, int type) implements VduseRequest {}

    /** @param message {@link #BYTES} bytes */
    static VduseRequest of(MemorySegment message) {
        int id = integer(message, VduseLayout.REQUEST_REQUEST_ID);
        int type = integer(message, VduseLayout.REQUEST_TYPE);
        return switch (type) {
            case VduseLayout.VDUSE_GET_VQ_STATE ->
                new GetQueueState(id, integer(message, VduseLayout.REQUEST_VQ_STATE_INDEX));
            case VduseLayout.VDUSE_SET_STATUS ->
                new SetStatus(id, Byte.toUnsignedInt(message.get(JAVA_BYTE, VduseLayout.REQUEST_S_STATUS)));
            case VduseLayout.VDUSE_UPDATE_IOTLB ->
                new UpdateIotlb(
                        id,
                        message.get(JAVA_LONG_UNALIGNED, VduseLayout.REQUEST_IOVA_START),
                        message.get(JAVA_LONG_UNALIGNED, VduseLayout.REQUEST_IOVA_LAST),
                        integer(message, VduseLayout.REQUEST_IOVA_V2_ASID));
            case VduseLayout.VDUSE_SET_VQ_GROUP_ASID ->
                new SetGroupAddressSpace(
                        id,
                        integer(message, VduseLayout.REQUEST_VQ_GROUP_ASID_GROUP),
                        integer(message, VduseLayout.REQUEST_VQ_GROUP_ASID_ASID));
            case VduseLayout.VDUSE_SET_VQ_READY ->
                new SetQueueReady(
                        id,
                        integer(message, VduseLayout.REQUEST_VQ_READY_NUM),
                        integer(message, VduseLayout.REQUEST_VQ_READY_READY) != 0);
            case VduseLayout.VDUSE_SUSPEND -> new Suspend(id);
            default -> new Unknown(id, type);
        };
    }

    private static int integer(MemorySegment message, int offset) {
        return message.get(JAVA_INT_UNALIGNED, offset);
    }
}
