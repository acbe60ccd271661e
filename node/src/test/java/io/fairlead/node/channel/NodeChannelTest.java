package io.fairlead.node.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.node.tls.CertificateAuthority;
import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes on the loopback, with real certificates. */
@Timeout(60)
class NodeChannelTest {
    private static final Duration DEADLINE = Duration.ofSeconds(20);
    private static final Duration LONG = Duration.ofDays(30);
    private static final InetAddress LOOPBACK = InetAddress.getLoopbackAddress();

    /** Answers with what it was asked; refuses "no", fails at "bug", waits at "wait". */
    private static final class Echo implements RequestHandler {
        final CompletableFuture<IOException> ended = new CompletableFuture<>();
        final CompletableFuture<NodeChannel> seen = new CompletableFuture<>();
        final CountDownLatch waiting = new CountDownLatch(1);

        @Override
        public Message answer(NodeChannel channel, Message request) throws IOException {
            seen.complete(channel);
            switch (request.kind()) {
                case "no" -> throw new IOException("that machine does not exist");
                case "bug" -> throw new IllegalStateException("a bug");
                case "wait" -> {
                    try {
                        waiting.await();
                    } catch (InterruptedException e) {
                        throw new IOException(e);
                    }
                }
                default -> {}
            }
            return request;
        }

        @Override
        public void ended(NodeChannel channel, IOException reason) {
            ended.complete(reason);
        }
    }

    private static NodeListener listen(NodeCertificates certificates, RequestHandler handler) throws IOException {
        return new NodeListener(
                new InetSocketAddress(LOOPBACK, 0),
                certificates,
                port -> new Hello("b", "incarnation-b", "127.0.0.1:" + port),
                handler);
    }

    private static NodeChannel connect(int port, NodeCertificates certificates, RequestHandler handler)
            throws IOException {
        return Tls.connect("127.0.0.1", port, certificates, new Hello("a", "incarnation-a", ""), handler, DEADLINE);
    }

    private static NodeCertificates certificates(Path folder, String host) throws IOException {
        return NodeCertificates.load(
                CertificateAuthority.openOrCreate(folder, LONG).createHost(List.of(host), LONG));
    }

    @Test
    void bothEndsAskAndAnswer(@TempDir Path folder) throws Exception {
        NodeCertificates certificates = certificates(folder, "127.0.0.1");
        Echo a = new Echo();
        Echo b = new Echo();
        try (NodeListener listener = listen(certificates, b);
                NodeChannel channel = connect(listener.port(), certificates, a)) {
            assertThat(channel.peer().node()).isEqualTo("b");
            assertThat(channel.peer().incarnation()).isEqualTo("incarnation-b");
            CompletableFuture<Message> slow = channel.ask(Message.of("wait"));
            Message answer =
                    channel.call(new Message("x", Message.of("x").fields(), List.of(new byte[] {5})), DEADLINE);
            assertThat(answer.blobs().getFirst()).containsExactly(5);
            assertThat(slow).isNotDone();
            NodeChannel back = b.seen.get(20, TimeUnit.SECONDS);
            assertThat(back.peer().node()).isEqualTo("a");
            assertThat(back.call(Message.of("y").with("n", 3), DEADLINE)
                            .fields()
                            .path("n")
                            .asInt())
                    .isEqualTo(3);
            b.waiting.countDown();
            assertThat(slow.get(20, TimeUnit.SECONDS).kind()).isEqualTo("wait");
        }
    }

    @Test
    void aRefusalIsToldAndTheChannelGoesOn(@TempDir Path folder) throws Exception {
        NodeCertificates certificates = certificates(folder, "127.0.0.1");
        try (NodeListener listener = listen(certificates, new Echo());
                NodeChannel channel = connect(listener.port(), certificates, new Echo())) {
            assertThatThrownBy(() -> channel.call(Message.of("no"), DEADLINE))
                    .isInstanceOf(RefusedException.class)
                    .hasMessage("that machine does not exist");
            assertThatThrownBy(() -> channel.call(Message.of("bug"), DEADLINE))
                    .isInstanceOf(RefusedException.class)
                    .hasMessageContaining("error in Fairlead itself");
            assertThat(channel.call(Message.of("x"), DEADLINE).kind()).isEqualTo("x");
        }
    }

    @Test
    void theEndFailsWhatWaitsAndIsToldOnBothSides(@TempDir Path folder) throws Exception {
        NodeCertificates certificates = certificates(folder, "127.0.0.1");
        Echo a = new Echo();
        Echo b = new Echo();
        try (NodeListener listener = listen(certificates, b);
                NodeChannel channel = connect(listener.port(), certificates, a)) {
            CompletableFuture<Message> slow = channel.ask(Message.of("wait"));
            b.seen.get(20, TimeUnit.SECONDS).close();
            assertThatThrownBy(() -> slow.get(20, TimeUnit.SECONDS)).hasCauseInstanceOf(IOException.class);
            assertThat(a.ended.get(20, TimeUnit.SECONDS)).isNotNull();
            assertThat(b.ended.get(20, TimeUnit.SECONDS)).isNotNull();
            assertThat(channel.isOpen()).isFalse();
            assertThatThrownBy(() -> channel.call(Message.of("x"), DEADLINE)).isInstanceOf(IOException.class);
            b.waiting.countDown();
        }
    }

    @Test
    void anotherAuthorityIsRefusedByBoth(@TempDir Path folder) throws Exception {
        NodeCertificates ours = certificates(folder.resolve("ours"), "127.0.0.1");
        NodeCertificates theirs = certificates(folder.resolve("theirs"), "127.0.0.1");
        Echo b = new Echo();
        try (NodeListener listener = listen(ours, b)) {
            assertThatThrownBy(() -> connect(listener.port(), theirs, new Echo()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("was issued by")
                    .hasMessageContaining("trusts only")
                    .hasMessageContaining("from one authority");
        }
        assertThat(b.seen).isNotDone();
    }

    @Test
    void anotherHostNameIsRefused(@TempDir Path folder) throws Exception {
        NodeCertificates certificates = certificates(folder, "elsewhere.example");
        try (NodeListener listener = listen(certificates, new Echo())) {
            assertThatThrownBy(() -> connect(listener.port(), certificates, new Echo()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is for elsewhere.example and not for 127.0.0.1");
        }
    }

    @Test
    void anExpiredCertificateIsRefusedAtTheStart(@TempDir Path folder) throws Exception {
        Path host = CertificateAuthority.openOrCreate(folder, LONG).createHost(List.of("a"), Duration.ofMinutes(-5));
        assertThatThrownBy(() -> NodeCertificates.load(host))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("-cert.pem expired at")
                .hasMessageContaining("fairlead certificates create");
    }

    @Test
    void aCertificateThatExpiresWhileItIsInUseIsRefused(@TempDir Path folder) throws Exception {
        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder, LONG);
        NodeCertificates certificates = NodeCertificates.load(authority.createHost(List.of("127.0.0.1"), LONG));
        NodeCertificates brief = NodeCertificates.load(authority.createHost(List.of("brief"), Duration.ofSeconds(3)));
        try (NodeListener listener = listen(certificates, new Echo())) {
            while (Files.exists(folder)
                    && java.time.Instant.now()
                            .isBefore(Files.getLastModifiedTime(folder.resolve("brief/server-cert.pem"))
                                    .toInstant()
                                    .plusSeconds(4))) {
                Thread.sleep(50);
            }
            assertThatThrownBy(() -> connect(listener.port(), brief, new Echo()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("refused this node's certificate");
        }
    }

    @Test
    void whoShowsNoCertificateIsNotHeard(@TempDir Path folder) throws Exception {
        Echo b = new Echo();
        SSLContext blind = SSLContext.getInstance("TLSv1.3");
        blind.init(null, new TrustManager[] {new TrustsAll()}, null);
        try (NodeListener listener = listen(certificates(folder, "127.0.0.1"), b);
                Socket socket = blind.getSocketFactory().createSocket(LOOPBACK, listener.port())) {
            assertThatThrownBy(() -> {
                        new Hello("stranger", "x", "").write(socket.getOutputStream());
                        new Frame(1, false, null, Message.of("states")).write(socket.getOutputStream());
                        while (socket.getInputStream().read() >= 0) {
                            // Until it is cut; the greeting may come first.
                        }
                        throw new IOException("the end of the stream");
                    })
                    .isInstanceOf(IOException.class);
        }
        assertThat(b.seen).isNotDone();
    }

    /** A client of ours shows only what the other side says it takes; this one shows what it has. */
    @Test
    void whoShowsACertificateOfAnotherAuthorityIsNotHeard(@TempDir Path folder) throws Exception {
        Echo b = new Echo();
        Path theirs = CertificateAuthority.openOrCreate(folder.resolve("theirs"), LONG)
                .createHost(List.of("127.0.0.1"), LONG);
        SSLContext insistent = SSLContext.getInstance("TLSv1.3");
        insistent.init(new KeyManager[] {new Shows(theirs)}, new TrustManager[] {new TrustsAll()}, null);
        try (NodeListener listener = listen(certificates(folder.resolve("ours"), "127.0.0.1"), b);
                Socket socket = insistent.getSocketFactory().createSocket(LOOPBACK, listener.port())) {
            assertThatThrownBy(() -> {
                        new Hello("stranger", "x", "").write(socket.getOutputStream());
                        new Frame(1, false, null, Message.of("states")).write(socket.getOutputStream());
                        assertThat(socket.getInputStream().readAllBytes()).isEmpty();
                    })
                    .isInstanceOf(IOException.class);
        }
        assertThat(b.seen).isNotDone();
    }

    @Test
    void whoSpeaksNoTlsIsNotHeardAndHoldsNobodyUp(@TempDir Path folder) throws Exception {
        NodeCertificates certificates = certificates(folder, "127.0.0.1");
        Echo b = new Echo();
        try (NodeListener listener = listen(certificates, b);
                Socket silent = new Socket(LOOPBACK, listener.port());
                Socket plain = new Socket(LOOPBACK, listener.port())) {
            OutputStream out = plain.getOutputStream();
            new Hello("stranger", "x", "").write(out);
            assertThat(plain.getInputStream().readAllBytes()).isNotNull();
            try (NodeChannel channel = connect(listener.port(), certificates, new Echo())) {
                assertThat(channel.call(Message.of("x"), DEADLINE).kind()).isEqualTo("x");
            }
            assertThat(silent.isConnected()).isTrue();
        }
    }

    @RepeatedTest(20)
    void nobodyListeningIsSaidWithTheAddress(@TempDir Path folder) throws Exception {
        NodeCertificates certificates = certificates(folder, "127.0.0.1");
        int port;
        try (NodeListener listener = listen(certificates, new Echo())) {
            port = listener.port();
        }
        assertThatThrownBy(() -> connect(port, certificates, new Echo()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1:" + port)
                .hasMessageContaining("cannot be reached");
    }

    /** Shows a host's certificate, whoever asks. */
    private static final class Shows extends X509ExtendedKeyManager {
        private final X509Certificate certificate;
        private final PrivateKey key;

        Shows(Path folder) throws Exception {
            try (InputStream in = Files.newInputStream(folder.resolve("client-cert.pem"))) {
                certificate = (X509Certificate)
                        CertificateFactory.getInstance("X.509").generateCertificate(in);
            }
            String pem = Files.readString(folder.resolve("client-key.pem")).replaceAll("-----[A-Z ]+-----", "");
            key = KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm())
                    .generatePrivate(
                            new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)));
        }

        @Override
        public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
            return "it";
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return new X509Certificate[] {certificate};
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return key;
        }

        @Override
        public String[] getClientAliases(String keyType, Principal[] issuers) {
            return new String[] {"it"};
        }

        @Override
        public @Nullable String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
            return null;
        }

        @Override
        public String @Nullable [] getServerAliases(String keyType, Principal[] issuers) {
            return null;
        }
    }

    private static final class TrustsAll implements X509TrustManager {
        @Override
        public void checkClientTrusted(java.security.cert.X509Certificate[] chain, String authType) {}

        @Override
        public void checkServerTrusted(java.security.cert.X509Certificate[] chain, String authType) {}

        @Override
        public java.security.cert.X509Certificate[] getAcceptedIssuers() {
            return new java.security.cert.X509Certificate[0];
        }
    }
}
