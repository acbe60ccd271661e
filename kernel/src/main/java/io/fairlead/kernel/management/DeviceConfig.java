package io.fairlead.kernel.management;

import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;

/**
 * What the kernel tells of a vDPA device's configuration; of some only where the device offers the feature, or the
 * driver has taken it.
 *
 * @param name the device's
 * @param deviceId the virtio device id
 * @param deviceFeatures the feature bits that the device offers
 * @param negotiatedFeatures those that the driver has taken, once it has
 * @param mac of a network card, such as {@code 52:54:00:12:34:56}
 * @param netStatus of a network card: bit 0 for a link, bit 1 for an announcement that is due (virtio 1.4, 5.1.4)
 * @param maxQueuePairs of a network card
 * @param mtu of a network card, bytes
 * @param block of a disk: the fields of its configuration space by the specification's names (virtio 1.4, 5.2.4), and
 *     {@code read_only} and {@code flush} as 0 or 1
 */
public record DeviceConfig(
        String name,
        int deviceId,
        OptionalLong deviceFeatures,
        OptionalLong negotiatedFeatures,
        Optional<String> mac,
        OptionalInt netStatus,
        OptionalInt maxQueuePairs,
        OptionalInt mtu,
        SequencedMap<String, Long> block) {}
