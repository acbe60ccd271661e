package io.fairlead.daemon.device;

import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.store.Change;
import io.fairlead.daemon.store.StateStore;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.NodeDevice;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The devices of a daemon: made, served at their sockets, changed, given to machines and removed; written down, so that the
 * next daemon has the same. A device that cannot be made again stays, with the reason. Thread-safe.
 */
public final class Devices implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Devices.class);
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final String PREFIX = "device/";

    /** Also an id in QEMU and a file's name in a path of at most 107 bytes. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9._-]{0,39}");

    private final ServedDevices served;
    private final StateStore store;
    private final EventLog events;
    private final Path sockets;
    private final SortedMap<String, KeptDevice> devices = new TreeMap<>();

    /**
     * Makes the devices that are written down, and serves them.
     *
     * @param served is this object's from now on
     * @param sockets the folder of their sockets
     */
    public Devices(ServedDevices served, StateStore store, EventLog events, Path sockets) throws IOException {
        this.served = served;
        this.store = store;
        this.events = events;
        this.sockets = sockets;
        Files.createDirectories(sockets);
        store.list(PREFIX).forEach((name, written) -> {
            KeptDevice device = KeptDevice.of(written);
            devices.put(name, device);
            try {
                make(device);
            } catch (IOException | IllegalArgumentException e) {
                device.failed(String.valueOf(e.getMessage()));
                LOG.error("device {} cannot be made again: {}", name, e.getMessage());
            }
        });
    }

    private void make(KeptDevice device) throws IOException {
        NodeDevice made = served.make(device.option());
        try {
            made.serve();
        } catch (IOException | RuntimeException e) {
            served.remove(made);
            throw e;
        }
        device.made(made);
    }

    /**
     * Makes a device, serves it and writes it down.
     *
     * @param owner the machine for whose lifetime it is; null where it is the user's
     * @throws ApiException where the name is taken
     * @throws IllegalArgumentException where name or attributes are wrong
     * @throws IOException where the host refuses
     */
    public synchronized ObjectNode add(
            String name, int deviceId, Map<String, String> attributes, @Nullable String owner)
            throws ApiException, IOException {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "device '%s': a name is a letter and then at most 39 letters, digits, . _ -".formatted(name));
        }
        if (devices.containsKey(name)) {
            throw ApiException.conflict("device %s: there is one of this name".formatted(name), "take another name");
        }
        KeptDevice device =
                new KeptDevice(new DeviceOption(name, deviceId, sockets.resolve(name + ".sock"), attributes), owner);
        make(device);
        try {
            store.commit(Change.ofPut(PREFIX + name, device.written()));
        } catch (IOException | RuntimeException e) {
            discard(device);
            throw e;
        }
        devices.put(name, device);
        ObjectNode json = describe(device);
        events.publish("device-added", PREFIX + name, "device %s was added".formatted(name), json);
        return json;
    }

    /**
     * Removes a device that no machine has.
     *
     * @throws ApiException where there is none, or a machine has it
     */
    public synchronized void remove(String name) throws ApiException, IOException {
        KeptDevice device = find(name);
        if (device.machine() != null) {
            throw ApiException.conflict(
                    "device %s: machine %s has it".formatted(name, device.machine()),
                    "detach it from the machine, or stop the machine");
        }
        store.commit(Change.ofDelete(PREFIX + name));
        devices.remove(name);
        discard(device);
        events.publish("device-removed", PREFIX + name, "device %s was removed".formatted(name));
    }

    private void discard(KeptDevice device) throws IOException {
        NodeDevice made = device.device();
        if (made != null) {
            made.unserve();
            served.remove(made);
        }
    }

    /**
     * Changes a device while it is used; what was changed is kept.
     *
     * @param forced also where it can cost data
     */
    public synchronized ObjectNode change(String name, Map<String, String> attributes, boolean forced)
            throws ApiException, IOException {
        KeptDevice device = find(name);
        if (attributes.isEmpty()) {
            throw new IllegalArgumentException("device %s: nothing to change".formatted(name));
        }
        NodeDevice made = made(device);
        made.change(served, attributes, forced);
        Map<String, String> all = new LinkedHashMap<>(device.option().attributes());
        all.putAll(attributes);
        DeviceOption option = device.option();
        KeptDevice changed = device.with(new DeviceOption(option.name(), option.deviceId(), option.socket(), all));
        devices.put(name, changed);
        store.commit(Change.ofPut(PREFIX + name, changed.written()));
        ObjectNode json = describe(changed);
        events.publish("device-changed", PREFIX + name, "device %s: %s".formatted(name, attributes), json);
        return json;
    }

    private KeptDevice find(String name) throws ApiException {
        KeptDevice device = devices.get(name);
        if (device == null) {
            throw ApiException.notFound("device %s: there is none".formatted(name));
        }
        return device;
    }

    private static NodeDevice made(KeptDevice device) throws IOException {
        NodeDevice made = device.device();
        if (made == null) {
            throw new IOException(
                    "device %s could not be made: %s".formatted(device.option().name(), device.problem()));
        }
        return made;
    }

    /**
     * Gives a device to a machine, which alone has it until {@link #release}. One that could not be made is tried again.
     *
     * @throws ApiException where there is none, or another machine has it
     */
    public synchronized NodeDevice claim(String name, String machine) throws ApiException, IOException {
        KeptDevice device = find(name);
        if (device.machine() != null && !device.machine().equals(machine)) {
            throw ApiException.conflict(
                    "device %s: machine %s has it".formatted(name, device.machine()),
                    "a device is one machine's at a time: stop that one, or add a device");
        }
        if (device.device() == null) {
            make(device);
        }
        device.machine(machine);
        return made(device);
    }

    /** Takes a device from its machine; one that was made for the machine is removed. */
    public synchronized void release(String name, String machine) {
        KeptDevice device = devices.get(name);
        if (device == null || !machine.equals(device.machine())) {
            return;
        }
        device.machine(null);
        if (device.owner() != null) {
            try {
                remove(name);
            } catch (ApiException | IOException e) {
                LOG.error("device {}, which was made for machine {}, stays: {}", name, machine, e.getMessage());
            }
        }
    }

    /** Removes what was made for machines that do not run. */
    public synchronized void removeOrphans() {
        List<String> orphans = new ArrayList<>();
        devices.forEach((name, device) -> {
            if (device.owner() != null && device.machine() == null) {
                orphans.add(name);
            }
        });
        for (String name : orphans) {
            try {
                remove(name);
            } catch (ApiException | IOException e) {
                LOG.error("device {}, whose machine is gone, stays: {}", name, e.getMessage());
            }
        }
    }

    /** One as the API shows it. */
    public synchronized ObjectNode get(String name) throws ApiException {
        return describe(find(name));
    }

    private ObjectNode describe(KeptDevice device) {
        ObjectNode json = device.json();
        served.registry()
                .find(device.option().name())
                .ifPresent(entry -> json.put("mgmtdev", entry.managementDevice().name()));
        return json;
    }

    /** All, by name. */
    public synchronized ArrayNode list() {
        ArrayNode all = JSON.createArrayNode();
        devices.values().forEach(device -> all.add(describe(device)));
        return all;
    }

    public synchronized int count() {
        return devices.size();
    }

    /** What makes devices, Fairlead's own and the kernel's. */
    public ArrayNode managementDevices() throws IOException {
        ArrayNode all = JSON.createArrayNode();
        served.inventory().managementDevices().forEach(device -> {
            ObjectNode node = all.addObject().put("name", device.name());
            device.fields().forEach((key, value) -> node.set(key, JSON.valueToTree(value)));
        });
        return all;
    }

    /** What one has done. */
    public synchronized ObjectNode statistics(String name) throws ApiException, IOException {
        return statistics(find(name));
    }

    /** What all have done that there are. */
    public synchronized ArrayNode statistics() throws IOException {
        ArrayNode all = JSON.createArrayNode();
        for (KeptDevice device : devices.values()) {
            if (device.device() != null) {
                all.add(statistics(device));
            }
        }
        return all;
    }

    private static ObjectNode statistics(KeptDevice kept) throws IOException {
        VdpaDevice device = made(kept).device();
        DeviceStatistics statistics = device.statistics();
        ObjectNode node = JSON.createObjectNode();
        node.put("name", kept.option().name());
        node.put("machine", kept.machine());
        ArrayNode queues = node.putArray("queues");
        for (QueueStatistics queue : statistics.queues()) {
            ObjectNode counts = JSON.valueToTree(queue.snapshot());
            if (!statistics.countsMarks()) {
                counts.putNull("markedPages");
            }
            queues.add(counts);
        }
        node.set("counters", JSON.valueToTree(device.typeCounters()));
        return node;
    }

    @Override
    public synchronized void close() throws IOException {
        served.close();
    }
}
