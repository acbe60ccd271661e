package io.fairlead.devices.scsi;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.ScsiRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HexFormat;

/** A driver of a SCSI host for tests: one request at a time, in the first bytes of the guest's data memory. */
final class Initiator {
    static final int DATA_BYTES = 1 << 20;
    static final int REQUEST_QUEUE = ScsiRequest.FIRST_REQUEST_QUEUE;
    static final int REQUEST_BYTES = 19 + 32;
    static final int RESPONSE_BYTES = 12 + 96;

    /** What came of a command. */
    static final class Answer {
        private final int response;
        private final int status;
        private final byte[] sense;
        private final int residual;
        private final byte[] data;

        Answer(int response, int status, byte[] sense, int residual, byte[] data) {
            this.response = response;
            this.status = status;
            this.sense = sense;
            this.residual = residual;
            this.data = data;
        }

        int response() {
            return response;
        }

        int status() {
            return status;
        }

        int residual() {
            return residual;
        }

        /** What came, without what was left of the buffer. */
        byte[] data() {
            return data;
        }

        void isGood() {
            assertThat(response).as("response").isZero();
            assertThat(status)
                    .as("status, sense %s", HexFormat.of().formatHex(sense))
                    .isZero();
        }

        /** Key, code and qualifier. */
        void fails(Sense expected) {
            assertThat(response).as("response").isZero();
            assertThat(status).as("status").isEqualTo(Command.CHECK_CONDITION);
            assertThat(sense.length).isEqualTo(Sense.FIXED_BYTES);
            assertThat(sense[0]).isEqualTo((byte) 0x70);
            assertThat(new Sense(sense[2] & 0xf, sense[12] & 0xff, sense[13] & 0xff))
                    .isEqualTo(expected);
        }
    }

    private final Guest guest;
    private final int queue;
    private long tag;

    Initiator(Guest guest) {
        this(guest, REQUEST_QUEUE);
    }

    Initiator(Guest guest, int queue) {
        this.guest = guest;
        this.queue = queue;
    }

    static long memoryBytes(int queues) {
        return (long) queues * Guest.RING_BYTES + 4L * DATA_BYTES;
    }

    /** The bytes of a CDB, written as hexadecimal numbers. */
    static byte[] cdb(String hex) {
        return HexFormat.of().parseHex(hex.replace(" ", ""));
    }

    Answer call(int lun, String cdb) throws IOException {
        return call(lun, cdb(cdb), new byte[0], 0);
    }

    Answer in(int lun, String cdb, int inBytes) throws IOException {
        return call(lun, cdb(cdb), new byte[0], inBytes);
    }

    Answer out(int lun, String cdb, byte[] out) throws IOException {
        return call(lun, cdb(cdb), out, 0);
    }

    Answer call(int lun, byte[] cdb, byte[] out, int inBytes) throws IOException {
        return call(ScsiRequest.address(lun), cdb, out, inBytes);
    }

    /** A command as Linux lays it out, each part in a segment of its own. */
    Answer call(long address, byte[] cdb, byte[] out, int inBytes) throws IOException {
        long at = send(address, cdb, out, inBytes);
        DriverQueue driver = guest.queue(queue);
        Guest.awaitAnswer(driver);
        assertThat(driver.writtenBytes()).isGreaterThanOrEqualTo(RESPONSE_BYTES);
        return answer(at, inBytes);
    }

    /** Sends without waiting; returns where the response will be. */
    long send(long address, byte[] cdb, byte[] out, int inBytes) {
        MemorySegment memory = guest.memory();
        long base = guest.dataOffset() + (queue - REQUEST_QUEUE) * 2L * DATA_BYTES;
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, base, address);
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, base + 8, ++tag);
        memory.asSlice(base + 16, 64).fill((byte) 0);
        MemorySegment.copy(MemorySegment.ofArray(cdb), 0, memory, base + 19, cdb.length);
        long dataOut = base + 4096;
        MemorySegment.copy(MemorySegment.ofArray(out), 0, memory, dataOut, out.length);
        long response = base + DATA_BYTES;
        memory.asSlice(response, RESPONSE_BYTES).fill((byte) 0xee);
        long dataIn = response + 4096;
        memory.asSlice(dataIn, inBytes).fill((byte) 0xee);
        int readable = out.length > 0 ? 2 : 1;
        int writable = inBytes > 0 ? 2 : 1;
        long[] addresses = new long[readable + writable];
        int[] lengths = new int[readable + writable];
        addresses[0] = Guest.BASE + base;
        lengths[0] = REQUEST_BYTES;
        if (readable == 2) {
            addresses[1] = Guest.BASE + dataOut;
            lengths[1] = out.length;
        }
        addresses[readable] = Guest.BASE + response;
        lengths[readable] = RESPONSE_BYTES;
        if (writable == 2) {
            addresses[readable + 1] = Guest.BASE + dataIn;
            lengths[readable + 1] = inBytes;
        }
        assertThat(guest.queue(queue).add(addresses, lengths, readable, writable, tag))
                .isTrue();
        guest.publish(queue);
        return response;
    }

    long lastTag() {
        return tag;
    }

    Answer answer(long at, int inBytes) {
        byte[] bytes = guest.memory().asSlice(at, RESPONSE_BYTES).toArray(ValueLayout.JAVA_BYTE);
        MemorySegment response = MemorySegment.ofArray(bytes);
        int senseBytes = response.get(ValueLayout.JAVA_INT_UNALIGNED, 0);
        int residual = response.get(ValueLayout.JAVA_INT_UNALIGNED, 4);
        byte[] all = guest.memory().asSlice(at + 4096, inBytes).toArray(ValueLayout.JAVA_BYTE);
        return new Answer(
                bytes[ScsiRequest.RESPONSE_OFFSET],
                bytes[ScsiRequest.STATUS_OFFSET],
                Arrays.copyOfRange(bytes, 12, 12 + senseBytes),
                residual,
                Arrays.copyOf(all, Math.max(0, inBytes - residual)));
    }

    /** Takes the unit attentions that a unit has for us. */
    void clearAttentions(int lun) throws IOException {
        for (int i = 0; i < 20; i++) {
            if (call(lun, "00 00 00 00 00 00").status() == 0) {
                return;
            }
        }
        throw new IOException("unit attentions without end");
    }

    /** Task management on the control queue; returns the response. */
    int manage(int lun, int subtype, long ofTag) throws IOException {
        DriverQueue driver = guest.queue(ScsiRequest.CONTROL_QUEUE);
        sendManagement(lun, subtype, ofTag);
        Guest.awaitAnswer(driver);
        return managed();
    }

    void sendManagement(int lun, int subtype, long ofTag) {
        MemorySegment memory = guest.memory();
        long base = guest.dataOffset() + 4L * DATA_BYTES - 4096;
        memory.set(ValueLayout.JAVA_INT_UNALIGNED, base, 0);
        memory.set(ValueLayout.JAVA_INT_UNALIGNED, base + 4, subtype);
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, base + 8, ScsiRequest.address(lun));
        memory.set(ValueLayout.JAVA_LONG_UNALIGNED, base + 16, ofTag);
        memory.set(ValueLayout.JAVA_BYTE, base + 64, (byte) 0xee);
        long at = Guest.BASE + base;
        assertThat(guest.queue(ScsiRequest.CONTROL_QUEUE).add(new long[] {at, at + 64}, new int[] {24, 1}, 1, 1, 1))
                .isTrue();
        guest.publish(ScsiRequest.CONTROL_QUEUE);
    }

    int managed() {
        long base = guest.dataOffset() + 4L * DATA_BYTES - 4096;
        return guest.memory().get(ValueLayout.JAVA_BYTE, base + 64);
    }
}
