package io.fairlead.daemon.http;

import io.fairlead.linux.SocketFile;
import io.fairlead.node.tls.NodeCertificates;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import jdk.net.ExtendedSocketOptions;
import org.eclipse.jetty.http.HttpCompliance;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.ssl.SslConnection;
import org.eclipse.jetty.server.AbstractConnector;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.unixdomain.server.UnixDomainServerConnector;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The API on Jetty: a Unix socket, and TLS where it is asked for. */
final class JettyServer implements HttpServer {
    private static final Logger LOG = LoggerFactory.getLogger(JettyServer.class);
    private static final int MAX_HEADER_BYTES = 8192;
    private static final int MAX_THREADS = 16;
    private static final Duration STOP_TIME = Duration.ofSeconds(2);

    private final HttpOptions options;
    private final Server server;
    private final ApiHandler handler;
    private final Map<Connector, ConnectionGuard> guards = new HashMap<>();
    private final ScheduledExecutorService sweeper = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("fairlead-http-sweeper").factory());
    private @Nullable SocketFile file;
    private @Nullable ServerConnector tls;

    JettyServer(HttpOptions options, Api api, RequestWatcher watcher) {
        this.options = options;
        QueuedThreadPool threads = new QueuedThreadPool(MAX_THREADS, 1);
        threads.setName("fairlead-http");
        threads.setDaemon(true);
        threads.setReservedThreads(0);
        threads.setVirtualThreadsExecutor(Executors.newThreadPerTaskExecutor(
                Thread.ofVirtual().name("fairlead-request-", 0).factory()));
        server = new Server(threads);
        handler = new ApiHandler(
                new RouteTable(api.routes()),
                options.maxBodyBytes(),
                connector -> Objects.requireNonNull(guards.get(connector)),
                JettyServer::caller,
                watcher);
        server.setHandler(new GracefulHandler(handler));
        server.setErrorHandler(new JsonErrors());
        server.setStopTimeout(STOP_TIME.toMillis());
        server.setStopAtShutdown(false);
    }

    /** Listens; after a failure nothing is left behind. */
    void start() throws IOException {
        Path folder = null;
        try {
            Path parent = options.socket().toAbsolutePath().getParent();
            // Bound where only we can go, given its permissions, and moved to its place last.
            folder = Files.createTempDirectory(
                    parent == null ? Path.of("/") : parent,
                    ".fl",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            Path bound = folder.resolve("s");
            UnixDomainServerConnector local = new UnixDomainServerConnector(server, 1, 1, http());
            local.setUnixDomainPath(bound);
            add(local, options.socket().toString());
            if (options.listen().isPresent()) {
                tls = listener(options.listen().get(), options.certificates().orElseThrow());
                add(tls, options.listen().get().toString());
            }
            server.start();
            permit(bound);
            file = SocketFile.move(bound, options.socket());
        } catch (Exception e) {
            close();
            throw e instanceof IOException io
                    ? io
                    : new IOException("the API cannot listen at %s: %s".formatted(options.socket(), e.getMessage()), e);
        } finally {
            if (folder != null) {
                Files.deleteIfExists(folder.resolve("s"));
                Files.deleteIfExists(folder);
            }
        }
        long sweepMillis = Math.clamp(options.requestTime().toMillis() / 4, 10, 1000);
        var _ = sweeper.scheduleWithFixedDelay(
                () -> guards.values().forEach(ConnectionGuard::sweep), sweepMillis, sweepMillis, TimeUnit.MILLISECONDS);
    }

    @Override
    public Optional<InetSocketAddress> listening() {
        ServerConnector connector = tls;
        return connector == null
                ? Optional.empty()
                : options.listen().map(asked -> new InetSocketAddress(asked.getAddress(), connector.getLocalPort()));
    }

    @Override
    public void close() {
        if (file != null) {
            file.remove();
        }
        sweeper.shutdownNow();
        handler.endStreams();
        try {
            server.stop();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            // Requests that outlast the time are cut off; the listeners are closed in any case.
            LOG.warn("the API stopped late: {}", e.getMessage());
        }
    }

    private void add(AbstractConnector connector, String name) {
        connector.setIdleTimeout(options.idleTime().toMillis());
        ConnectionGuard guard =
                new ConnectionGuard(name, options.maxConnections(), options.idleTime(), options.requestTime());
        connector.addBean(guard);
        guards.put(connector, guard);
        server.addConnector(connector);
    }

    private static HttpConnectionFactory http() {
        HttpConfiguration http = new HttpConfiguration();
        http.setSendServerVersion(false);
        http.setSendXPoweredBy(false);
        http.setRequestHeaderSize(MAX_HEADER_BYTES);
        http.setHttpCompliance(HttpCompliance.RFC9110);
        // Names are decoded once, by RouteTable: a percent sign in one is nothing special.
        http.setUriCompliance(UriCompliance.DEFAULT.with("FAIRLEAD", UriCompliance.Violation.AMBIGUOUS_PATH_ENCODING));
        return new HttpConnectionFactory(http);
    }

    private ServerConnector listener(InetSocketAddress address, NodeCertificates certificates) throws IOException {
        if (address.isUnresolved()) {
            throw new IOException("listen: there is no address of " + address.getHostString());
        }
        SslContextFactory.Server context = new SslContextFactory.Server();
        context.setSslContext(certificates.serverContext());
        context.setNeedClientAuth(true);
        context.setIncludeProtocols("TLSv1.3");
        context.setRenegotiationAllowed(false);
        HttpConnectionFactory http = http();
        ServerConnector connector =
                new ServerConnector(server, 1, 1, new SslConnectionFactory(context, http.getProtocol()), http);
        connector.setHost(address.getAddress().getHostAddress());
        connector.setPort(address.getPort());
        connector.setReuseAddress(true);
        return connector;
    }

    private void permit(Path bound) throws IOException {
        PosixFileAttributeView view = Files.getFileAttributeView(bound, PosixFileAttributeView.class);
        if (options.group().isPresent()) {
            String name = options.group().get();
            try {
                GroupPrincipal group =
                        bound.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(name);
                view.setGroup(group);
            } catch (UserPrincipalNotFoundException e) {
                throw new IOException(
                        "group %s: this host has none; make it by 'groupadd --system %s'".formatted(name, name), e);
            }
        }
        view.setPermissions(PosixFilePermissions.fromString(options.group().isPresent() ? "rw-rw----" : "rw-------"));
    }

    /** Who is at the other end of a bare endpoint. */
    private static Caller caller(EndPoint endPoint) {
        if (endPoint.getConnection() instanceof SslConnection ssl) {
            try {
                return new Caller(
                        ((X509Certificate) ssl.getSSLEngine().getSession().getPeerCertificates()[0])
                                .getSubjectX500Principal()
                                .getName(),
                        false);
            } catch (IOException e) {
                // Cannot be: without a certificate the handshake fails.
                throw new IllegalStateException("a TLS connection without a certificate", e);
            }
        }
        if (endPoint.getTransport() instanceof SocketChannel channel) {
            try {
                return new Caller(
                        "user "
                                + channel.getOption(ExtendedSocketOptions.SO_PEERCRED)
                                        .user()
                                        .getName(),
                        true);
            } catch (IOException _) {
                // Gone already.
            }
        }
        return new Caller("unknown", true);
    }

    /** What Jetty itself refuses, in the form of all other errors. */
    private static final class JsonErrors extends ErrorHandler {
        @Override
        public boolean handle(
                org.eclipse.jetty.server.Request request,
                org.eclipse.jetty.server.Response response,
                Callback callback) {
            byte[] body = body(response.getStatus(), (String) request.getAttribute(ERROR_MESSAGE));
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
            response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
            response.write(true, ByteBuffer.wrap(body), callback);
            return true;
        }

        private static byte[] body(int status, @Nullable String message) {
            return (ApiErrors.body(ApiErrors.code(status), message, null) + "\n").getBytes(StandardCharsets.UTF_8);
        }
    }
}
