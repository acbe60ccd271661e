package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/** Where a disk's content is. Paths are absolute. */
public sealed interface DiskSource {
    /** The disk's attribute {@code type}. */
    String type();

    /** A drive without medium. */
    record Empty() implements DiskSource {
        @Override
        public String type() {
            return "file";
        }
    }

    /** A file of the host. */
    record FileSource(String file) implements DiskSource {
        @Override
        public String type() {
            return "file";
        }
    }

    /** A block device of the host. */
    record BlockSource(String dev) implements DiskSource {
        @Override
        public String type() {
            return "block";
        }
    }

    /**
     * An export of an NBD server.
     *
     * @param export its name, empty for the default one
     * @param host by TCP; null by a Unix socket
     * @param port of TCP
     * @param socket the Unix socket; null by TCP
     */
    record Nbd(
            String export,
            @Nullable String host,
            int port,
            @Nullable String socket) implements DiskSource {
        @Override
        public String type() {
            return "network";
        }
    }

    /**
     * A vhost-user back-end that listens on a Unix socket.
     *
     * @param reconnectSeconds how long QEMU waits before it connects again; 0 for never
     */
    record VhostUser(String socket, int reconnectSeconds) implements DiskSource {
        @Override
        public String type() {
            return "vhostuser";
        }
    }

    /** libvirt's own form for a vDPA device. */
    record VhostVdpa(VdpaSource source) implements DiskSource {
        @Override
        public String type() {
            return "vhostvdpa";
        }
    }

    /** A vDPA device of type blk. */
    record GenericVdpa(VdpaSource source) implements DiskSource {
        @Override
        public String type() {
            return "generic-vdpa";
        }
    }
}
