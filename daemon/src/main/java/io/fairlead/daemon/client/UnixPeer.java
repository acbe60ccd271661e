package io.fairlead.daemon.client;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** A daemon of this host, at its Unix socket. */
record UnixPeer(Path socket) implements Peer {
    @Override
    public Link open() throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
            return new Link(Channels.newInputStream(channel), Channels.newOutputStream(channel), channel);
        } catch (IOException e) {
            channel.close();
            boolean isRefused = Files.exists(socket) && !Files.isWritable(socket);
            throw new IOException(
                    isRefused
                            ? "the daemon's socket %s: permission denied; be root, or a member of its group"
                                    .formatted(socket)
                            : "no daemon listens at %s (%s); start one by 'fairlead daemon', or name another's socket"
                                    .formatted(socket, e.getMessage()),
                    e);
        }
    }

    @Override
    public String host() {
        return "fairlead";
    }
}
