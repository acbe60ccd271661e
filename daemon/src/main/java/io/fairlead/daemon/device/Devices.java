package io.fairlead.daemon.device;

import io.fairlead.daemon.events.EventLog;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.store.Change;
import io.fairlead.daemon.store.StateStore;
import io.fairlead.node.DeviceMaker;
import io.fairlead.node.DeviceOption;
import io.fairlead.node.NodeDevice;
import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.preflight.DeviceProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
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

    /** At the start nothing is served until it is sure which machines are here. */
    private boolean serves;

    /**
     * Makes the devices that are written down; they are served from {@link #serve} on.
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
            if (serves) {
                made.serve();
            }
        } catch (IOException | RuntimeException e) {
            served.remove(made);
            throw e;
        }
        device.made(made);
    }

    /**
     * Serves what there is and what comes from now on.
     *
     * @param isHere whether a machine's QEMU may have its devices now
     */
    public synchronized void serve(Predicate<String> isHere) {
        serves = true;
        for (KeptDevice device : devices.values()) {
            NodeDevice made = device.device();
            String machine = device.machine();
            if (made != null && (machine == null || isHere.test(machine))) {
                try {
                    made.serve();
                } catch (IOException e) {
                    device.failed(String.valueOf(e.getMessage()));
                    LOG.error("device {} is not served: {}", device.option().name(), e.getMessage());
                }
            }
        }
    }

    /** What changes devices for a node. */
    public DeviceMaker maker() {
        return served;
    }

    /**
     * Makes a device, serves it and writes it down.
     *
     * @throws ApiException where the name is taken
     * @throws IllegalArgumentException where name or attributes are wrong
     * @throws IOException where the host refuses
     */
    public synchronized ObjectNode add(String name, int deviceId, Map<String, String> attributes, DeviceOwner owner)
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
     * Makes a device for a machine that comes from another host, like the one that it has there, unless there is one of
     * this name.
     *
     * @param attributes it was made with there
     */
    public synchronized void addLike(
            DeviceProfile other, String name, int deviceId, Map<String, String> attributes, String machine)
            throws ApiException, IOException {
        if (!devices.containsKey(name)) {
            ObjectNode _ = add(name, deviceId, served.attributesLike(other, attributes), DeviceOwner.stayOf(machine));
        }
    }

    /** How a device was made: for a machine that goes elsewhere with it. */
    public synchronized DeviceOption option(String name) throws ApiException {
        return find(name).option();
    }

    /** Whether a device was made for a machine, and is made by its domain wherever it starts. */
    public synchronized boolean isOfItsRun(String name, String machine) throws ApiException {
        return find(name).owner().isRunOf(machine);
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
        KeptDevice changed = device.with(served.changed(device.option(), attributes));
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

    /** Devices that a machine has, of these those that there are, in their order. */
    public synchronized List<NodeDevice> of(List<String> names, String machine) {
        List<NodeDevice> all = new ArrayList<>();
        for (String name : names) {
            KeptDevice device = devices.get(name);
            NodeDevice made = device == null ? null : device.device();
            if (made != null && device != null && machine.equals(device.machine())) {
                all.add(made);
            }
        }
        return all;
    }

    /** Takes a device from its machine; one that was made for the machine is removed. */
    public synchronized void release(String name, String machine) {
        KeptDevice device = devices.get(name);
        if (device == null || !machine.equals(device.machine())) {
            return;
        }
        device.machine(null);
        if (device.owner().isRunOf(machine)) {
            removeAll(List.of(name));
        }
    }

    /** A machine is this host's no more: what came with it goes. */
    public synchronized void left(String machine) {
        removeAll(names(device -> device.owner().isStayOf(machine) && device.machine() == null));
    }

    /**
     * Removes what was made for machines that do not run, or are not here any more.
     *
     * @param isHere whether there is a machine of a name
     */
    public synchronized void removeOrphans(Predicate<String> isHere) {
        removeAll(names(device -> {
            String owner = device.owner().machine();
            return owner != null && device.machine() == null && (device.owner().isForItsRun() || !isHere.test(owner));
        }));
    }

    private List<String> names(Predicate<KeptDevice> which) {
        return devices.values().stream()
                .filter(which)
                .map(device -> device.option().name())
                .toList();
    }

    private void removeAll(List<String> names) {
        for (String name : names) {
            try {
                remove(name);
            } catch (ApiException | IOException e) {
                LOG.error("device {}, which was made for a machine, stays: {}", name, e.getMessage());
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
