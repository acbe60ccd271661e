package io.fairlead.bench.migrate;

import java.util.SequencedMap;

/** Which devices a machine has at a host, and where the host has them from. */
interface NodeDevices {
    /**
     * By the devices' names, what follows name and socket in {@code --device}.
     *
     * @param host 0 or 1
     */
    SequencedMap<String, String> at(int host);
}
