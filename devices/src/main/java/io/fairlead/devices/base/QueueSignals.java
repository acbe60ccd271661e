package io.fairlead.devices.base;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.Signal;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.loop.EventLoop;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What the driver of a running queue kicks and what it is signalled with. On the queue's loop. */
final class QueueSignals {
    private final EventLoop loop;
    private final QueueStatistics statistics;
    private final Runnable onKick;
    private final Consumer<Throwable> onBroken;
    private @Nullable EventFd kick;
    private @Nullable Signal call;

    /**
     * @param call stays the caller's; null where the driver does not want signals
     * @param onBroken told that the kick descriptor can be waited for no longer
     */
    QueueSignals(
            EventLoop loop,
            QueueStatistics statistics,
            @Nullable Signal call,
            Runnable onKick,
            Consumer<Throwable> onBroken) {
        this.loop = loop;
        this.statistics = statistics;
        this.call = call;
        this.onKick = onKick;
        this.onBroken = onBroken;
    }

    /** Whether the driver kicks; else the ring has to be looked at. */
    boolean hasKick() {
        return kick != null;
    }

    /** Replaces what the driver kicks; the caller closes the old one. */
    void kick(@Nullable EventFd newKick) throws IOException {
        EventFd old = kick;
        kick = null;
        if (old != null) {
            loop.unregister(old.raw());
        }
        if (newKick != null) {
            loop.register(newKick.raw(), Epoll.EPOLLIN, events -> ready(newKick, events));
        }
        kick = newKick;
    }

    private void ready(EventFd source, int events) {
        if (source.drain()) {
            statistics.countKick();
            onKick.run();
        } else if ((events & (Epoll.EPOLLERR | Epoll.EPOLLHUP)) != 0) {
            onBroken.accept(new IOException("the kick descriptor is broken"));
            try {
                kick(null);
            } catch (IOException e) {
                onBroken.accept(e);
            }
            onKick.run();
        }
    }

    /** Replaces what the driver is signalled with; the caller closes the old one. */
    void call(@Nullable Signal newCall) {
        call = newCall;
    }

    void signal() {
        Signal target = call;
        if (target != null) {
            target.signal();
            statistics.countSignal();
        }
    }
}
