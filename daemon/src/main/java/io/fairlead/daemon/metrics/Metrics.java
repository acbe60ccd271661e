package io.fairlead.daemon.metrics;

import io.fairlead.daemon.http.RequestWatcher;
import io.fairlead.daemon.http.Response;
import io.fairlead.daemon.http.Route;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.function.DoubleSupplier;

/**
 * The figures that {@code GET /metrics} shows. Those of devices and machines are asked for when somebody looks, by
 * suppliers: whoever counts, counts as before. Thread-safe.
 */
public final class Metrics implements AutoCloseable {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

    private final JvmGcMetrics collections = new JvmGcMetrics();

    /** Makes a list with the JVM's own figures. */
    public Metrics() {
        new JvmMemoryMetrics().bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new FileDescriptorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        collections.bindTo(registry);
    }

    /** Counts and times the API's requests, by route: {@code fairlead_http_requests_seconds}. */
    public RequestWatcher requests() {
        return (method, path, status, time) -> Timer.builder("fairlead.http.requests")
                .description("Requests of the API")
                .tags("method", method, "path", path, "status", Integer.toString(status))
                .register(registry)
                .record(time);
    }

    /** A figure that goes up and down. */
    public Meter gauge(String name, String unit, String what, DoubleSupplier value, String... labels) {
        Gauge gauge = Gauge.builder(name, value::getAsDouble)
                .baseUnit(unit.isEmpty() ? null : unit)
                .description(what)
                .tags(Tags.of(labels))
                .strongReference(true)
                .register(registry);
        return () -> registry.remove(gauge);
    }

    /**
     * A figure that only grows.
     *
     * @param name with dots, as {@code fairlead.device.requests}
     * @param unit {@code bytes}, {@code seconds}, or empty for a number of things
     * @param what one line
     * @param labels names and values by turns, as {@code "device", "disk0"}
     * @return its end: closed when the object goes away
     */
    public Meter counter(String name, String unit, String what, DoubleSupplier value, String... labels) {
        FunctionCounter counter = FunctionCounter.builder(name, value, DoubleSupplier::getAsDouble)
                .baseUnit(unit.isEmpty() ? null : unit)
                .description(what)
                .tags(Tags.of(labels))
                .register(registry);
        return () -> registry.remove(counter);
    }

    /** The route {@code GET /metrics}. */
    public Route route() {
        return Route.get("/metrics", "Figures in the text format of Prometheus")
                .answers(200, "text/plain")
                .by(_ -> Response.text("text/plain; version=0.0.4", registry.scrape()));
    }

    @Override
    public void close() {
        collections.close();
        registry.close();
    }

    /** A figure's place in the list. */
    @FunctionalInterface
    public interface Meter extends AutoCloseable {
        /** Takes it out. */
        @Override
        void close();
    }
}
