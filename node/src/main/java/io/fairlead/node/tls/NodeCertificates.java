package io.fairlead.node.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * A host's certificates, in the layout of QEMU's {@code tls-creds-x509}: {@code ca-cert.pem}, and {@code server-} and
 * {@code client-} {@code cert.pem} and {@code key.pem}. Both ends of a connection show a certificate; only TLS 1.3 is
 * spoken. Immutable.
 */
public final class NodeCertificates {
    static final String CA_CERTIFICATE = "ca-cert.pem";

    private static final String PROTOCOL = "TLSv1.3";

    private final Path folder;
    private final SSLContext server;
    private final SSLContext client;

    private NodeCertificates(Path folder, SSLContext server, SSLContext client) {
        this.folder = folder;
        this.server = server;
        this.client = client;
    }

    /**
     * Reads a host's folder.
     *
     * @throws IOException where a file is missing, broken, does not fit its key or its authority, or is out of its time;
     *     the message names the file, the reason and the remedy
     */
    public static NodeCertificates load(Path folder) throws IOException {
        try {
            List<X509Certificate> authorities = PemFiles.certificates(folder.resolve(CA_CERTIFICATE));
            for (X509Certificate authority : authorities) {
                checkTime(folder.resolve(CA_CERTIFICATE), authority);
            }
            TrustManager[] trusted = {new ExplainingTrustManager(trustManager(authorities), authorities)};
            return new NodeCertificates(
                    folder,
                    context(keyManagers(folder, "server", authorities), trusted),
                    context(keyManagers(folder, "client", authorities), trusted));
        } catch (GeneralSecurityException e) {
            throw new IOException("the certificates in " + folder + " cannot be used: " + e.getMessage(), e);
        }
    }

    /** The folder, for QEMU's {@code tls-creds-x509}. */
    public Path folder() {
        return folder;
    }

    /** For servers of other protocols, which have to ask for the client's certificate by themselves. */
    public SSLContext serverContext() {
        return server;
    }

    /** Makes an unbound listener that asks its clients for a certificate. */
    public SSLServerSocket newServerSocket() throws IOException {
        SSLServerSocket socket =
                (SSLServerSocket) server.getServerSocketFactory().createServerSocket();
        socket.setEnabledProtocols(new String[] {PROTOCOL});
        socket.setNeedClientAuth(true);
        return socket;
    }

    /**
     * Makes an unconnected socket that accepts only a server whose certificate names a host.
     *
     * @param host name or address as the user gave it
     */
    public SSLSocket newSocket(String host, java.net.Socket connected) throws IOException {
        SSLSocket socket =
                (SSLSocket) client.getSocketFactory().createSocket(connected, host, connected.getPort(), true);
        socket.setEnabledProtocols(new String[] {PROTOCOL});
        var parameters = socket.getSSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        socket.setSSLParameters(parameters);
        return socket;
    }

    private static SSLContext context(KeyManager[] keys, TrustManager[] trusted) throws GeneralSecurityException {
        SSLContext context = SSLContext.getInstance(PROTOCOL);
        context.init(keys, trusted, null);
        return context;
    }

    private static KeyManager[] keyManagers(Path folder, String role, List<X509Certificate> authorities)
            throws IOException, GeneralSecurityException {
        Path file = folder.resolve(role + "-cert.pem");
        List<X509Certificate> chain = PemFiles.certificates(file);
        X509Certificate own = chain.getFirst();
        checkTime(file, own);
        if (chain.size() == 1 && authorities.stream().noneMatch(authority -> isIssuedBy(own, authority))) {
            throw new IOException("%s is not from the authority in %s: copy both from the same place"
                    .formatted(file, folder.resolve(CA_CERTIFICATE)));
        }
        PrivateKey key = PemFiles.key(
                folder.resolve(role + "-key.pem"), own.getPublicKey().getAlgorithm());
        KeyStore store = emptyStore();
        char[] noPassword = {};
        store.setKeyEntry(role, key, noPassword, chain.toArray(Certificate[]::new));
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
        factory.init(store, noPassword);
        return factory.getKeyManagers();
    }

    private static X509ExtendedTrustManager trustManager(List<X509Certificate> authorities)
            throws IOException, GeneralSecurityException {
        KeyStore store = emptyStore();
        for (int i = 0; i < authorities.size(); i++) {
            store.setCertificateEntry("ca" + i, authorities.get(i));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509ExtendedTrustManager found) {
                return found;
            }
        }
        throw new IllegalStateException("the JDK has no trust manager for X.509");
    }

    private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static boolean isIssuedBy(X509Certificate certificate, X509Certificate authority) {
        try {
            certificate.verify(authority.getPublicKey());
            return true;
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static void checkTime(Path file, X509Certificate certificate) throws IOException {
        try {
            certificate.checkValidity();
        } catch (CertificateExpiredException e) {
            throw new IOException(
                    "%s expired at %s: make new ones by 'fairlead certificates create'"
                            .formatted(file, certificate.getNotAfter().toInstant()),
                    e);
        } catch (CertificateNotYetValidException e) {
            throw new IOException(
                    "%s is valid only from %s on: set the clock of this host"
                            .formatted(file, certificate.getNotBefore().toInstant()),
                    e);
        }
    }
}
