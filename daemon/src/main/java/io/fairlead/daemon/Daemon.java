package io.fairlead.daemon;

import io.fairlead.daemon.api.DaemonApi;
import io.fairlead.daemon.config.Configuration;
import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.Api;
import io.fairlead.daemon.http.HttpOptions;
import io.fairlead.daemon.http.HttpServer;
import io.fairlead.daemon.http.Request;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import io.fairlead.daemon.machine.Machines;
import io.fairlead.daemon.metrics.Metrics;
import io.fairlead.daemon.operation.Operations;
import io.fairlead.daemon.store.StateStore;
import io.fairlead.node.HostPort;
import io.fairlead.node.NodeOptions;
import io.fairlead.node.journal.MigrationJournal;
import io.fairlead.node.tls.NodeCertificates;
import io.fairlead.qemu.QemuBinary;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The daemon of a host: its devices, machines and operations, and what can be asked of them. One process has a state folder;
 * several daemons with folders of their own are several hosts on one machine. Thread-safe.
 */
public final class Daemon implements AutoCloseable {
    private static final int KEPT_EVENTS = 10_000;

    private final Configuration configuration;
    private final String version;
    private final QemuBinary qemu;
    private final long startedNanos = System.nanoTime();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final EventLog events;
    private final Devices devices;
    private final Machines machines;
    private final Operations operations;
    private final Metrics metrics;

    /**
     * Starts it: makes its devices, takes over the machines that run, takes requests, starts the machines that shall run.
     *
     * @param version of Fairlead
     * @throws IOException where folders, state or QEMU are not usable
     */
    public Daemon(Configuration configuration, String version) throws IOException {
        this.configuration = configuration;
        this.version = version;
        qemu = QemuBinary.direct(configuration.qemu());
        boolean started = false;
        try {
            folder(configuration.stateFolder());
            folder(configuration.runFolder());
            StateStore store = open(StateStore.open(configuration.stateFolder()));
            events = open(new EventLog(KEPT_EVENTS, InstantSource.system()));
            metrics = open(new Metrics());
            ServedDevices served = new ServedDevices(configuration.threads());
            devices = open(devices(served, store));
            operations = new Operations(store, events, InstantSource.system());
            machines = open(new Machines(
                    store,
                    events,
                    operations,
                    devices,
                    qemu,
                    configuration.runFolder().resolve("machines"),
                    node()));
            // Ended before the machines that they work on.
            open(operations);
            Api api = DaemonApi.of(version, this::host, devices, machines, operations, events, metrics());
            HttpServer _ = open(HttpServer.start(http(), api, metrics.requests()));
            machines.autostart();
            started = true;
        } finally {
            if (!started) {
                close();
            }
        }
    }

    private Devices devices(ServedDevices served, StateStore store) throws IOException {
        try {
            return new Devices(served, store, events, configuration.runFolder().resolve("devices"));
        } catch (IOException | RuntimeException e) {
            served.close();
            throw e;
        }
    }

    private static void folder(Path folder) throws IOException {
        Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    private <T extends AutoCloseable> T open(T part) {
        opened.push(part);
        return part;
    }

    private Route metrics() {
        Metrics.Meter _ = open(metrics.gauge("fairlead.devices", "", "Devices", devices::count));
        Metrics.Meter _ = open(metrics.gauge("fairlead.machines", "", "Machines", () -> machines.count(false)));
        Metrics.Meter _ = open(
                metrics.gauge("fairlead.machines.running", "", "Machines with a QEMU", () -> machines.count(true)));
        return metrics.route();
    }

    /** For machines that move; null where there is no address for other hosts. */
    private @Nullable NodeOptions node() throws IOException {
        Path state = configuration.stateFolder().resolve("node");
        HostPort listen = configuration.listen();
        Path certificates = configuration.certificates();
        if (listen == null || certificates == null) {
            if (!MigrationJournal.files(state.resolve("migrations")).isEmpty()) {
                throw new IOException("machines were on the move when the daemon ended, and there is no address for"
                        + " other hosts any more: set listen and certificates as they were until they have arrived");
            }
            return null;
        }
        return new NodeOptions(
                configuration.name(),
                state,
                null,
                new InetSocketAddress(InetAddress.getByName(listen.host()), listen.port()),
                certificates);
    }

    private HttpOptions http() throws IOException {
        HttpOptions options = HttpOptions.at(configuration.socket());
        if (configuration.socketGroup() != null) {
            options = options.forGroup(configuration.socketGroup());
        }
        HostPort listen = configuration.apiListen();
        Path certificates = configuration.certificates();
        if (listen != null && certificates != null) {
            options = options.listening(
                    new InetSocketAddress(InetAddress.getByName(listen.host()), listen.port()),
                    NodeCertificates.load(certificates));
        }
        return options;
    }

    private Response host(Request request) {
        ObjectNode host = JsonMapper.shared().createObjectNode();
        host.put("name", configuration.name());
        host.put("version", version);
        host.putObject("qemu")
                .put("program", configuration.qemu().toString())
                .put("version", qemu.version().toString());
        HostPort listen = configuration.listen();
        host.put("listen", listen == null ? null : new HostPort(listen.host(), machines.migrationPort()).toString());
        host.put("pid", ProcessHandle.current().pid());
        host.put("uptimeSeconds", (System.nanoTime() - startedNanos) / 1_000_000_000);
        host.put("devices", devices.count());
        host.put("machines", machines.count(false));
        host.put("runningMachines", machines.count(true));
        return Response.ok(host);
    }

    /** Ends it; machines run on, and wait for the next daemon where they use its devices. */
    @Override
    public void close() throws IOException {
        IOException failure = null;
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                if (failure == null) {
                    failure = new IOException("the daemon did not end cleanly: " + e.getMessage(), e);
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
