package io.fairlead.kernel.vhostvdpa;

import io.fairlead.linux.Epoll;
import io.fairlead.linux.EventFd;
import io.fairlead.linux.FolderWatch;
import io.fairlead.linux.LinuxException;
import io.fairlead.vdpa.loop.EventLoop;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens to what the kernel says unasked of its devices: that a configuration space changed, that a ring is in error, that
 * a device is taken away. The kernel waits with the removal until its file is closed, and the file itself never tells; its
 * name goes at once. On a thread of its own, since whoever is told asks the device, which may take its time.
 */
final class DeviceWatch implements AutoCloseable {
    /** Told on the watch's thread. */
    interface Events {
        void configChanged();

        void ringError();

        /** The device's file has no name any more. */
        void removed();
    }

    private static final Logger LOG = LoggerFactory.getLogger(DeviceWatch.class);

    private final EventLoop loop;

    /** On the loop. */
    private final Map<Path, FolderWatch> folders = new HashMap<>();

    private final List<Watched> watched = new ArrayList<>();

    DeviceWatch() throws IOException {
        loop = new EventLoop("fairlead-kernel-devices");
    }

    /** What one device signals; closed by the device's owner, from any thread. */
    final class Watched implements AutoCloseable {
        private final Path path;
        private final Events events;
        private final EventFd config;
        private final EventFd error;

        private Watched(Path path, Events events, EventFd config, EventFd error) {
            this.path = path;
            this.events = events;
            this.config = config;
            this.error = error;
        }

        /** For SET_CONFIG_CALL. */
        EventFd config() {
            return config;
        }

        /** For SET_VRING_ERR. */
        EventFd error() {
            return error;
        }

        /** Does not wait: the loop may be waiting for the caller. */
        @Override
        public void close() {
            try {
                loop.execute(() -> unwatch(this));
            } catch (RejectedExecutionException e) {
                config.close();
                error.close();
            }
        }
    }

    /** @param path of the device's file, as it is without symbolic links */
    Watched watch(Path path, Events events) throws IOException {
        EventFd config = EventFd.create("configuration changes of " + path);
        EventFd error;
        try {
            error = EventFd.create("ring errors of " + path);
        } catch (LinuxException e) {
            config.close();
            throw e;
        }
        Watched made = new Watched(path, events, config, error);
        try {
            loop.call(() -> {
                register(made);
                return true;
            });
            return made;
        } catch (IOException | RuntimeException e) {
            made.close();
            throw e;
        }
    }

    private void register(Watched device) throws IOException {
        watched.add(device);
        Path folder = device.path.toAbsolutePath().getParent();
        if (folder != null && !folders.containsKey(folder) && Files.isDirectory(folder)) {
            FolderWatch watch = FolderWatch.open(folder);
            folders.put(folder, watch);
            loop.register(watch.raw(), Epoll.EPOLLIN, bits -> folderChanged(watch));
        }
        loop.register(device.config.raw(), Epoll.EPOLLIN, bits -> {
            device.config.drain();
            device.events.configChanged();
        });
        loop.register(device.error.raw(), Epoll.EPOLLIN, bits -> {
            device.error.drain();
            device.events.ringError();
        });
    }

    private void folderChanged(FolderWatch watch) {
        boolean gone;
        try {
            gone = watch.read().stream()
                    .anyMatch(event -> !event.there() || event.name().isEmpty());
        } catch (LinuxException e) {
            LOG.warn("{}", e.getMessage());
            gone = true;
        }
        if (gone) {
            List.copyOf(watched).stream()
                    .filter(device -> Files.notExists(device.path))
                    .forEach(device -> device.events.removed());
        }
    }

    private void unwatch(Watched device) {
        if (!watched.remove(device)) {
            return;
        }
        try (EventFd config = device.config;
                EventFd error = device.error) {
            loop.unregister(config.raw());
            loop.unregister(error.raw());
        } catch (IOException | IllegalStateException e) {
            LOG.warn("{}: {}", device.path, e.getMessage());
        }
    }

    /** Ends the thread; after the devices. */
    @Override
    public void close() {
        loop.close();
        folders.values().forEach(FolderWatch::close);
        watched.forEach(device -> {
            device.config.close();
            device.error.close();
        });
    }
}
