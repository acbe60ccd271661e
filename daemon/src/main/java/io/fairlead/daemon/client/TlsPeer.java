package io.fairlead.daemon.client;

import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Path;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/** A daemon anywhere, by mutual TLS. */
record TlsPeer(String name, int port, NodeCertificates certificates) implements Peer {
    private static final int CONNECT_MILLIS = 10_000;
    /** Event streams have a sign of life every 15 seconds, and no answer is waited for longer than a minute. */
    private static final int SILENCE_MILLIS = 90_000;

    /** @throws IllegalArgumentException where the address is none */
    static TlsPeer of(String address, @Nullable Path certificates) throws IOException {
        URI uri = URI.create(address);
        String path = uri.getPath();
        if (uri.getHost() == null
                || uri.getPort() < 0
                || uri.getUserInfo() != null
                || uri.getQuery() != null
                || !(path == null || path.isEmpty() || path.equals("/"))) {
            throw new IllegalArgumentException(address + " is no address: write https://HOST:PORT");
        }
        if (certificates == null) {
            throw new IOException(
                    "%s needs this host's certificates: name their folder, or make them by 'fairlead certificates create'"
                            .formatted(address));
        }
        String host = uri.getHost();
        boolean isV6 = host.startsWith("[");
        return new TlsPeer(
                isV6 ? host.substring(1, host.length() - 1) : host, uri.getPort(), NodeCertificates.load(certificates));
    }

    @Override
    public Link open() throws IOException {
        Socket plain = new Socket();
        try {
            plain.connect(new InetSocketAddress(name, port), CONNECT_MILLIS);
            plain.setTcpNoDelay(true);
            plain.setSoTimeout(SILENCE_MILLIS);
            SSLSocket socket = certificates.newSocket(name, plain);
            socket.startHandshake();
            // Closed below TLS: to say goodbye, SSLSocket would wait for what the daemon still sends.
            return new Link(socket.getInputStream(), socket.getOutputStream(), plain);
        } catch (IOException e) {
            plain.close();
            throw new IOException("the daemon at https://%s: %s".formatted(host(), e.getMessage()), e);
        }
    }

    @Override
    public String host() {
        return (name.contains(":") ? "[" + name + "]" : name) + ":" + port;
    }
}
