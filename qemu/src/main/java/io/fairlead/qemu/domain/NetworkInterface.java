package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * A network card.
 *
 * @param mac six pairs of hexadecimal digits, lower case; chosen by QEMU where it is missing
 * @param model QEMU's, {@code virtio} where nothing is said
 * @param targetDev the TAP device on the host
 * @param mtu that the guest is told; 0 for nothing
 * @param queues queue pairs; 0 for one
 */
public record NetworkInterface(
        Source source,
        @Nullable String mac,
        String model,
        @Nullable String targetDev,
        int mtu,
        int queues,
        Place place,
        Kept kept)
        implements Device {
    /** What the card is connected to. */
    public sealed interface Source {
        /** The element's attribute {@code type}. */
        String type();

        /** QEMU's own network in user space. */
        record User() implements Source {
            @Override
            public String type() {
                return "user";
            }
        }

        /** A bridge of the host, by a TAP device. */
        record Bridge(String bridge) implements Source {
            @Override
            public String type() {
                return "bridge";
            }
        }

        /** A TAP device of the host. */
        record Ethernet() implements Source {
            @Override
            public String type() {
                return "ethernet";
            }
        }

        /**
         * A vhost-user back-end.
         *
         * @param server whether QEMU listens on the socket; else it connects
         * @param reconnectSeconds how long QEMU waits before it connects again; 0 for never
         */
        record VhostUser(String socket, boolean server, int reconnectSeconds) implements Source {
            @Override
            public String type() {
                return "vhostuser";
            }
        }

        /** libvirt's own form for a vDPA device. */
        record Vdpa(VdpaSource source) implements Source {
            @Override
            public String type() {
                return "vdpa";
            }
        }

        /** A vDPA device of type net. */
        record GenericVdpa(VdpaSource source) implements Source {
            @Override
            public String type() {
                return "generic-vdpa";
            }
        }
    }

    @Override
    public String element() {
        return "interface";
    }

    @Override
    public NetworkInterface withPlace(Place value) {
        return new NetworkInterface(source, mac, model, targetDev, mtu, queues, value, kept);
    }

    /** The same with another source. */
    public NetworkInterface withSource(Source value) {
        return new NetworkInterface(value, mac, model, targetDev, mtu, queues, place, kept);
    }
}
