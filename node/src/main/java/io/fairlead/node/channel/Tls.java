package io.fairlead.node.channel;

import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.time.Duration;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;

/** Connects to another node, and puts into words why that failed. */
public final class Tls {
    private static final int MAX_CAUSES = 16;

    private Tls() {}

    /**
     * Connects.
     *
     * @param host name or address, as in the other node's certificate
     * @throws IOException where nobody answers there or one of the two refuses the other's certificate; with the reason
     */
    public static NodeChannel connect(
            String host, int port, NodeCertificates certificates, Hello own, RequestHandler handler, Duration deadline)
            throws IOException {
        Socket plain = new Socket();
        SSLSocket socket;
        try {
            plain.connect(new InetSocketAddress(host, port), (int) deadline.toMillis());
            plain.setSoTimeout((int) deadline.toMillis());
            socket = certificates.newSocket(host, plain);
        } catch (IOException | RuntimeException e) {
            plain.close();
            throw new IOException("node at %s:%d cannot be reached: %s".formatted(host, port, e.getMessage()), e);
        }
        try {
            socket.startHandshake();
            return NodeChannel.connected(socket, own, handler);
        } catch (IOException e) {
            socket.close();
            throw new IOException("node at %s:%d: %s".formatted(host, port, reason(e)), e);
        }
    }

    /** What a failed handshake comes down to. */
    static String reason(IOException failure) {
        Throwable cause = failure;
        for (int i = 0; cause != null && i < MAX_CAUSES; i++) {
            if (cause instanceof CertificateException refused && refused.getMessage() != null) {
                return refused.getMessage();
            }
            cause = cause.getCause();
        }
        String message = String.valueOf(failure.getMessage());
        if (failure instanceof SSLException && message.contains("Received fatal alert")) {
            return "it refused this node's certificate (%s): its log says why; both need certificates of one authority"
                    .formatted(message.replaceFirst(".*alert: *", "").replaceFirst(".*fatal alert\\)? *", ""));
        }
        if (failure instanceof SSLException && message.contains("Empty client certificate chain")) {
            return "it showed no certificate";
        }
        return message;
    }
}
