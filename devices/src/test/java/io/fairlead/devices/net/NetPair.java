package io.fairlead.devices.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.devices.base.Guest;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceFaultException;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;

/** Two guests at one switch, each with a loop of its own: frames sent by the first reach the second. */
final class NetPair implements AutoCloseable {
    static final int QUEUE_SIZE = 256;
    private static final int DATA_BYTES = 8 << 20;
    private static final int SEND_BYTES = 1 << 18;
    static final Duration PATIENCE = Duration.ofSeconds(20);

    final EventLoopGroup loops;
    final NetDevice sender;
    final NetDevice receiver;
    final Guest from;
    final Guest to;
    private long receiveAt;
    private final List<int[]> posted = new ArrayList<>();
    private final List<Long> places = new ArrayList<>();

    NetPair(long senderFeatures, long receiverFeatures, Map<String, String> receiverAttributes) throws Exception {
        loops = new EventLoopGroup(2);
        NetType type = new NetType();
        sender = (NetDevice) type.create("a", Map.of("switch", "lan", "mac", "52:54:00:00:00:0a"), loops);
        Map<String, String> attributes = new java.util.HashMap<>(receiverAttributes);
        attributes.put("switch", "lan");
        attributes.put("mac", "52:54:00:00:00:0b");
        receiver = (NetDevice) type.create("b", attributes, loops);
        from = new Guest(sender, 3L * Guest.RING_BYTES + DATA_BYTES, QUEUE_SIZE, 0);
        to = new Guest(receiver, (long) receiver.queueCount() * Guest.RING_BYTES + DATA_BYTES, QUEUE_SIZE, 0);
        from.start(Feature.VERSION_1 | senderFeatures);
        to.start(Feature.VERSION_1 | receiverFeatures);
        receiveAt = to.dataOffset();
    }

    /** Sends header and frame in pieces of the given sizes, the last one longer or shorter as is needed; waits for its end. */
    void send(byte[] bytes, int... pieces) throws Exception {
        from.memory().asSlice(from.dataOffset(), SEND_BYTES).fill((byte) 0);
        MemorySegment.copy(
                MemorySegment.ofArray(bytes), 0, from.memory(), from.dataOffset(), Math.min(bytes.length, SEND_BYTES));
        List<Integer> lengths = new ArrayList<>();
        int done = 0;
        for (int i = 0; i < pieces.length && done + pieces[i] < bytes.length; i++) {
            lengths.add(pieces[i]);
            done += pieces[i];
        }
        lengths.add(bytes.length - done);
        long[] addresses = new long[lengths.size()];
        long at = Guest.BASE + from.dataOffset();
        for (int i = 0; i < addresses.length; i++) {
            addresses[i] = at;
            at += lengths.get(i);
        }
        DriverQueue queue = from.queue(1);
        assertThat(queue.add(
                        addresses, lengths.stream().mapToInt(Integer::intValue).toArray(), addresses.length, 0, 1))
                .isTrue();
        from.publish(1);
        awaitUsed(queue);
    }

    /** Awaitility takes a thread for each wait, of which there are thousands. */
    private static void awaitUsed(DriverQueue queue) throws DeviceFaultException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!queue.poll()) {
            assertThat(System.nanoTime()).as("no answer").isLessThan(deadline);
            LockSupport.parkNanos(5_000);
        }
    }

    /** Gives the receiver one buffer, in pieces of the given sizes. */
    void post(int... pieces) {
        long[] addresses = new long[pieces.length];
        long at = receiveAt;
        for (int i = 0; i < pieces.length; i++) {
            addresses[i] = Guest.BASE + at;
            at += pieces[i];
        }
        assertThat(to.queue(0).add(addresses, pieces, 0, pieces.length, posted.size()))
                .isTrue();
        posted.add(pieces);
        places.add(receiveAt);
        receiveAt = at;
        to.publish(0);
    }

    /** No buffer is with the device: the next lie where the first did. */
    void reuseMemory() {
        assertThat(to.queue(0).freeDescriptors()).isEqualTo(QUEUE_SIZE);
        receiveAt = to.dataOffset();
    }

    /** Waits for one used buffer; what was written to it. */
    byte[] take() throws DeviceFaultException {
        DriverQueue queue = to.queue(0);
        awaitUsed(queue);
        return to.memory()
                .asSlice(places.get((int) queue.token()), queue.writtenBytes())
                .toArray(ValueLayout.JAVA_BYTE);
    }

    /** Waits for one frame, in as many buffers as it takes: header and frame. */
    byte[] receive() throws DeviceFaultException {
        byte[] first = take();
        int buffers = (first[10] & 0xff) | (first[11] & 0xff) << 8;
        byte[] all = first;
        for (int i = 1; i < buffers; i++) {
            byte[] more = take();
            all = Arrays.copyOf(all, all.length + more.length);
            System.arraycopy(more, 0, all, all.length - more.length, more.length);
        }
        return all;
    }

    static byte[] frameOf(byte[] headerAndFrame) {
        return Arrays.copyOfRange(headerAndFrame, Frames.HEADER, headerAndFrame.length);
    }

    @Override
    public void close() throws IOException {
        try (loops;
                sender;
                receiver;
                from;
                to) {
            sender.reset();
            receiver.reset();
        }
    }
}
