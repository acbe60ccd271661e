package io.fairlead.node;

import io.fairlead.node.migration.DeviceAway;
import io.fairlead.qemu.HotPlug;
import io.fairlead.qemu.MachineFacts;
import io.fairlead.qemu.Qmp;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;

/**
 * The devices of a machine that QEMU does not migrate: out of it before it moves, in it again where it runs afterwards.
 * One thread at a time.
 */
final class Replugging {
    private static final Logger LOG = LoggerFactory.getLogger(Replugging.class);

    /** A guest under load lets go, and takes, within a second; one that is busy otherwise is given more. */
    private static final Duration GUEST = Duration.ofSeconds(30);

    private final NodeMachine machine;
    private final List<String> names;
    private final Map<String, Long> leftNanos = new HashMap<>();
    private List<DeviceAway> away = List.of();

    Replugging(NodeMachine machine, List<String> names) {
        this.machine = machine;
        this.names = List.copyOf(names);
    }

    /** As a node or a journal tells it. */
    static Replugging of(NodeMachine machine, JsonNode fields) {
        List<String> names = new ArrayList<>();
        fields.path("replugged").forEach(name -> names.add(name.asString("")));
        return new Replugging(machine, names);
    }

    String machine() {
        return machine.name();
    }

    List<String> names() {
        return names;
    }

    /** The devices that move with the machine, in its order. */
    List<NodeDevice> moving() {
        return machine.devices().stream()
                .filter(device -> !names.contains(device.name()))
                .toList();
    }

    /** The time for each to leave and to come. */
    Duration patience() {
        return GUEST.multipliedBy(2L * names.size());
    }

    /**
     * Takes them out of the machine, which runs.
     *
     * @throws IOException where the guest does not let go of one: those before it are out
     */
    void unplug() throws IOException {
        for (String name : names) {
            try {
                HotPlug.unplug(machine.monitor(), name, GUEST);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
            leftNanos.put(name, System.nanoTime());
        }
    }

    /**
     * Plugs in those that the machine's QEMU does not have, and waits until drivers use them. Where that cannot be, the
     * machine goes on without: {@link #away} says so.
     */
    void plug() {
        if (names.isEmpty()) {
            return;
        }
        List<DeviceAway> done = new ArrayList<>();
        try {
            Qmp qmp = machine.monitor();
            Set<String> there = Set.copyOf(MachineFacts.deviceIds(qmp));
            for (NodeDevice device : machine.devices()) {
                if (names.contains(device.name()) && !there.contains(device.name())) {
                    done.add(plug(qmp, device));
                }
            }
        } catch (IOException e) {
            names.forEach(name ->
                    done.add(new DeviceAway(name, awayMillis(name), "device %s: %s".formatted(name, e.getMessage()))));
        }
        for (DeviceAway device : done) {
            if (!device.problem().isEmpty()) {
                LOG.error("machine {}: {}", machine.name(), device.problem());
            }
        }
        away = List.copyOf(done);
    }

    private DeviceAway plug(Qmp qmp, NodeDevice device) {
        String problem = "";
        try {
            device.serve();
            HotPlug.plug(qmp, QemuModel.of(device.device(), device.socket()));
            if (!device.awaitDriver(GUEST)) {
                problem = "device %s: it is plugged in, and no driver of the guest has taken it within %d s"
                        .formatted(device.name(), GUEST.toSeconds());
            }
        } catch (IOException e) {
            problem = String.valueOf(e.getMessage());
        }
        return new DeviceAway(device.name(), awayMillis(device.name()), problem);
    }

    /** What came of {@link #plug}. */
    List<DeviceAway> away() {
        return away;
    }

    /** Since it left, by this node's clock; 0 where it left elsewhere. */
    long awayMillis(String name) {
        Long left = leftNanos.get(name);
        return left == null ? 0 : (System.nanoTime() - left) / 1_000_000;
    }
}
