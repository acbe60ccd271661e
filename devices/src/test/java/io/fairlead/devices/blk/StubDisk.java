package io.fairlead.devices.blk;

import io.fairlead.devices.storage.StubStorage;
import io.fairlead.vdpa.loop.EventLoopGroup;
import java.nio.file.Path;

/** A disk over storage whose errors and delays a test decides. */
final class StubDisk {
    private StubDisk() {}

    static BlkDevice of(StubStorage storage, EventLoopGroup loops, int queues) {
        BlkSettings settings = BlkSettings.of(Path.of("stub")).withQueueCount(queues);
        return new BlkDevice("stub", settings, storage, BlkDevice.config(settings, storage), loops, false);
    }
}
