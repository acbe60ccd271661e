package io.fairlead.qemu.domain;

import org.jspecify.annotations.Nullable;

/**
 * A serial port, a console or a channel.
 *
 * @param targetType {@code isa-serial} or {@code pci-serial}, {@code serial} or {@code virtio}
 * @param targetName a channel's name, such as {@code org.qemu.guest_agent.0}
 * @param port its number, -1 where nothing is said
 */
public record CharacterDevice(
        Role role,
        Backend backend,
        String targetType,
        @Nullable String targetName,
        int port,
        Place place,
        Kept kept) implements Device {
    /** What it is to the guest. */
    public enum Role implements Word {
        SERIAL,
        CONSOLE,
        CHANNEL
    }

    /** The host's side. */
    public sealed interface Backend {
        /** The element's attribute {@code type}. */
        String type();

        /** A terminal; the machine's own ports, which {@code Machine} holds, stand for it. */
        record Pty() implements Backend {
            @Override
            public String type() {
                return "pty";
            }
        }

        /** Nothing. */
        record Null() implements Backend {
            @Override
            public String type() {
                return "null";
            }
        }

        /** A file that is written. */
        record FileBackend(String path, boolean append) implements Backend {
            @Override
            public String type() {
                return "file";
            }
        }

        /**
         * A Unix socket.
         *
         * @param path chosen by the caller where it is missing
         * @param listen whether QEMU listens; else it connects
         */
        record Unix(@Nullable String path, boolean listen) implements Backend {
            @Override
            public String type() {
                return "unix";
            }
        }

        /** TCP on the loopback interface. */
        record Tcp(String host, int port, boolean listen, boolean telnet) implements Backend {
            @Override
            public String type() {
                return "tcp";
            }
        }
    }

    @Override
    public String element() {
        return role.word();
    }

    @Override
    public CharacterDevice withPlace(Place value) {
        return new CharacterDevice(role, backend, targetType, targetName, port, value, kept);
    }
}
