package io.fairlead.virtio;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Measures, does not judge: time of one request through driver and device in one thread, in batches of 32. */
class RoundTripBenchmark {
    private static final int BATCH = 32;
    private static final int ROUNDS = 7;
    private static final int BATCHES = 100_000;

    @Tag("long")
    @ParameterizedTest
    @ValueSource(
            longs = {
                0,
                Feature.EVENT_IDX,
                Feature.RING_PACKED,
                Feature.RING_PACKED | Feature.EVENT_IDX,
                Feature.INDIRECT_DESC,
                Feature.RING_PACKED | Feature.INDIRECT_DESC
            })
    void roundTrip(long features) throws GuestFaultException, DeviceFaultException {
        boolean indirect = Feature.has(features, Feature.INDIRECT_DESC);
        try (Virtqueue queue = new Virtqueue(256, Feature.VERSION_1 | features, indirect ? 4 : 0, 8192)) {
            QueueState state = Virtqueue.anyState(new Random(1), 256, Feature.has(features, Feature.RING_PACKED));
            DriverQueue driver = DriverQueue.create(queue.rings, state);
            DeviceQueue device = queue.device(state);
            DescriptorChain chain = queue.newChain();
            long best = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
                long start = System.nanoTime();
                for (int i = 0; i < BATCHES; i++) {
                    batch(driver, device, chain, indirect ? 1 : 0);
                }
                best = Math.min(best, System.nanoTime() - start);
            }
            System.out.printf(
                    "%s: %.1f ns a request%n", FeatureTable.COMMON.describe(features), (double) best / BATCHES / BATCH);
        }
    }

    private final long[] addresses = {Virtqueue.DATA, Virtqueue.DATA + 512};
    private final int[] lengths = {512, 512};

    private void batch(DriverQueue driver, DeviceQueue device, DescriptorChain chain, int readable)
            throws GuestFaultException, DeviceFaultException {
        for (int i = 0; i < BATCH; i++) {
            driver.add(addresses, lengths, readable, 1, i);
        }
        driver.publish();
        while (device.next(chain)) {
            device.complete(chain, 1);
        }
        device.publish();
        int count = 0;
        while (driver.poll()) {
            count++;
        }
        if (count != BATCH) {
            throw new AssertionError(count + " of " + BATCH);
        }
    }
}
