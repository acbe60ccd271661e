package io.fairlead.node;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** A machine is in one migration at a time. Thread-safe. */
final class MachineLocks {
    private final Map<String, String> owners = new HashMap<>();

    /** @throws IOException where somebody has it */
    synchronized void take(String machine, String owner) throws IOException {
        String other = owners.putIfAbsent(machine, owner);
        if (other != null) {
            throw new IOException("machine %s is in %s: wait for its end".formatted(machine, other));
        }
    }

    /** @throws IOException where somebody has it */
    synchronized void refuseBusy(String machine) throws IOException {
        String other = owners.get(machine);
        if (other != null) {
            throw new IOException("machine %s is in %s".formatted(machine, other));
        }
    }

    synchronized void give(String machine) {
        owners.remove(machine);
    }

    /** Who has it; empty where nobody has. */
    synchronized String owner(String machine) {
        return owners.getOrDefault(machine, "");
    }
}
