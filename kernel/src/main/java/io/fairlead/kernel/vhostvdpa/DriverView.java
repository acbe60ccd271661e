package io.fairlead.kernel.vhostvdpa;

import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/** What a driver sees of a device: of what that offers, as much as the settings want. */
final class DriverView {
    private DriverView() {}

    /**
     * The queues that are used.
     *
     * @throws IllegalArgumentException where the device is not what the settings want, or has not as many
     */
    static List<VhostVdpaQueue> queues(VhostVdpaSettings settings, VhostVdpaOffer offer) {
        if (settings.deviceId() != 0 && settings.deviceId() != offer.deviceId()) {
            throw new IllegalArgumentException("type: %s is a device of type %s (virtio id %d), not %s"
                    .formatted(
                            settings.path(),
                            DeviceId.name(offer.deviceId()),
                            offer.deviceId(),
                            DeviceId.name(settings.deviceId())));
        }
        int count = queueCount(settings, offer);
        int max = settings.maxQueueSize() == 0 ? Integer.MAX_VALUE : settings.maxQueueSize();
        return IntStream.range(0, count)
                .mapToObj(index -> new VhostVdpaQueue(
                        index, Math.min(max, offer.queueSizes().get(index))))
                .toList();
    }

    private static int queueCount(VhostVdpaSettings settings, VhostVdpaOffer offer) {
        int has = offer.driverQueueCount();
        boolean paired = offer.deviceId() == DeviceId.NET;
        if (settings.queueCount() == 0) {
            return paired ? Math.min(2, has) : has;
        }
        if (settings.queueCount() > has) {
            throw new IllegalArgumentException("queues: %s has %d queues for a driver, not %d%s"
                    .formatted(
                            settings.path(),
                            has,
                            settings.queueCount(),
                            paired && offer.queuePairs() == 1
                                    ? ": more than one pair needs a device with VIRTIO_NET_F_MQ and a control queue"
                                    : ""));
        }
        if (paired && settings.queueCount() > 2 && settings.queueCount() % 2 != 0) {
            throw new IllegalArgumentException("queues: %d are no pairs of a network device; give it an even number"
                    .formatted(settings.queueCount()));
        }
        return settings.queueCount();
    }

    /** The features that are offered where so many queues are used. */
    static long features(VhostVdpaSettings settings, VhostVdpaOffer offer, int queueCount) {
        return offer.driverFeatures(queueCount) & settings.features();
    }

    /** Reads the configuration space as a driver of so many queues has to see it. */
    static byte[] config(VhostVdpaLink source, VhostVdpaOffer offer, int queueCount) throws IOException {
        byte[] bytes = offer.config(source);
        if (offer.queuePairs() > 1 && queueCount > 2) {
            NetConfig.MAX_VIRTQUEUE_PAIRS.write(MemorySegment.ofArray(bytes), queueCount / 2);
        }
        return bytes;
    }
}
