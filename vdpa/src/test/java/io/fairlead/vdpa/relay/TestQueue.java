package io.fairlead.vdpa.relay;

import io.fairlead.linux.EventFd;
import io.fairlead.vdpa.loop.EventLoop;
import io.fairlead.virtio.DescriptorChain;
import io.fairlead.virtio.DeviceQueue;
import io.fairlead.virtio.GuestFaultException;
import io.fairlead.virtio.GuestMemory;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * A running queue of the {@link TestDevice}. A request's first four bytes say how many bytes it wants, the next four its
 * number; they are filled with {@link #content}. On its loop.
 */
final class TestQueue implements EventLoop.Pollable {
    private final TestDevice device;
    private final EventLoop loop;
    private final EventLoop.Polling polling;
    private final DeviceQueue queue;
    private final boolean events;
    private final SplittableRandom random;
    private final Arena arena = Arena.ofShared();
    private final Deque<DescriptorChain> free = new ArrayDeque<>();
    private final List<DescriptorChain> taken = new ArrayList<>();
    private @Nullable EventFd kick;
    private @Nullable EventFd call;
    private boolean stopped;
    private boolean broken;

    TestQueue(
            TestDevice device,
            EventLoop loop,
            DeviceQueue queue,
            boolean events,
            long seed,
            @Nullable EventFd kick,
            @Nullable EventFd call)
            throws IOException {
        this.device = device;
        this.loop = loop;
        this.queue = queue;
        this.events = events;
        this.call = call;
        random = new SplittableRandom(seed);
        polling = loop.polling(this);
        kick(kick);
        polling.wake();
    }

    /** What byte a request gets at an offset. */
    static byte content(int number, long offset) {
        return (byte) (number * 31L + offset + 1);
    }

    void wake() {
        if (!stopped) {
            polling.wake();
        }
    }

    void kick(@Nullable EventFd newKick) throws IOException {
        if (kick != null) {
            loop.unregister(kick.raw());
        }
        kick = newKick;
        if (newKick != null) {
            TestDevice.listen(loop, newKick, this::wake);
        }
    }

    void call(@Nullable EventFd newCall) {
        call = newCall;
    }

    void memory(GuestMemory newMemory) {
        try {
            queue.memory(newMemory);
        } catch (GuestFaultException e) {
            broken = true;
            device.fault(e);
        }
    }

    @Override
    public boolean poll() {
        if (stopped || broken) {
            return false;
        }
        boolean worked = false;
        try {
            queue.disableNotifications();
            for (int i = 0; i < 16 && take(); i++) {
                worked = true;
            }
            worked |= answerSome();
            publish();
        } catch (GuestFaultException e) {
            broken = true;
            device.fault(e);
        }
        return worked || (!taken.isEmpty() && device.order != TestDevice.Order.NEVER);
    }

    private boolean take() throws GuestFaultException {
        if (events && device.eventsDue.size() <= taken.size()) {
            return false;
        }
        DescriptorChain chain = free.poll();
        if (chain == null) {
            chain = new DescriptorChain(arena.allocate(DescriptorChain.IOVEC_BYTES, 8));
        }
        if (!queue.next(chain)) {
            free.push(chain);
            return false;
        }
        taken.add(chain);
        device.lastHead = chain.id();
        device.taken.incrementAndGet();
        return true;
    }

    private boolean answerSome() {
        if (taken.isEmpty()) {
            return false;
        }
        switch (events ? TestDevice.Order.FIRST_IN_FIRST_OUT : device.order) {
            case FIRST_IN_FIRST_OUT -> answerAll();
            case RANDOM -> {
                int count = 1 + random.nextInt(taken.size());
                for (int i = 0; i < count; i++) {
                    answer(taken.remove(random.nextInt(taken.size())));
                }
            }
            case SLOW -> {
                if (random.nextInt(50) == 0) {
                    answer(taken.remove(random.nextInt(taken.size())));
                }
            }
            case NEVER -> {}
        }
        return true;
    }

    private void answerAll() {
        List.copyOf(taken).forEach(this::answer);
        taken.clear();
    }

    private void answer(DescriptorChain chain) {
        int byteCount = events ? device.eventsDue.remove() : chain.readInt(0);
        int number = events ? byteCount : chain.readInt(4);
        byte[] bytes = new byte[byteCount];
        for (int i = 0; i < byteCount; i++) {
            bytes[i] = content(number, i);
        }
        chain.write(0, MemorySegment.ofArray(bytes), 0, byteCount);
        queue.complete(chain, byteCount);
        free.push(chain);
    }

    private void publish() {
        if (queue.publish() && call != null) {
            call.signal();
        }
    }

    @Override
    public boolean arm() {
        if (stopped || broken || (events && device.eventsDue.isEmpty())) {
            return false;
        }
        return queue.enableNotifications();
    }

    @Override
    public void failed(Throwable cause) {
        broken = true;
        device.fault(cause);
    }

    QueueState stop() throws IOException {
        stopped = true;
        if (!broken) {
            answerAll();
            publish();
        }
        polling.stop();
        kick(null);
        QueueState state = queue.state();
        arena.close();
        return state;
    }
}
