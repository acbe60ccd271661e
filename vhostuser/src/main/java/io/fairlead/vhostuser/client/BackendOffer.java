package io.fairlead.vhostuser.client;

import io.fairlead.vhostuser.protocol.Payload;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a daemon offered and was taken of it.
 *
 * @param features virtio and vhost feature bits, as offered, without those that the settings leave out
 * @param protocolFeatures as negotiated
 * @param queueCount queues that it has
 * @param memorySlots regions of memory that it takes
 * @param config its configuration space; empty where it has none
 */
@SuppressWarnings("ArrayRecordComponent") // never compared as a whole
record BackendOffer(long features, long protocolFeatures, int queueCount, int memorySlots, byte[] config) {
    /** What we make use of, where it is offered. */
    private static final long WANTED = ProtocolFeature.MQ
            | ProtocolFeature.LOG_SHMFD
            | ProtocolFeature.REPLY_ACK
            | ProtocolFeature.BACKEND_REQ
            | ProtocolFeature.CONFIG
            | ProtocolFeature.INFLIGHT_SHMFD
            | ProtocolFeature.RESET_DEVICE
            | ProtocolFeature.CONFIGURE_MEM_SLOTS
            | ProtocolFeature.STATUS;

    /**
     * Not for the driver: vhost's own bits, and what takes more of a front-end than eventfds (an IOMMU, data in
     * notifications).
     */
    private static final long NOT_FOR_DRIVERS = Feature.VHOST_LOG_ALL
            | Feature.VHOST_USER_PROTOCOL_FEATURES
            | Feature.ACCESS_PLATFORM
            | Feature.NOTIFICATION_DATA
            | Feature.NOTIF_CONFIG_DATA
            | Feature.ADMIN_VQ
            | Feature.SUSPEND;

    /** The feature bits that a driver may take. */
    long driverFeatures() {
        return features & ~NOT_FOR_DRIVERS;
    }

    boolean has(long protocolFeature) {
        return Feature.has(protocolFeatures, protocolFeature);
    }

    /** Whether it can log the pages that it writes into a file of ours. */
    boolean logs() {
        return Feature.has(features, Feature.VHOST_LOG_ALL) && has(ProtocolFeature.LOG_SHMFD);
    }

    /** Speaks with a daemon that somebody just connected to. */
    static BackendOffer negotiate(BackendConnection connection, VhostUserBackendSettings settings) throws IOException {
        long features = connection.askU64(Request.GET_FEATURES) & (settings.features() | NOT_FOR_DRIVERS);
        if (!Feature.has(features, Feature.VHOST_USER_PROTOCOL_FEATURES)) {
            connection.command(Request.SET_OWNER, 0, List.of());
            return new BackendOffer(features, 0, 1, Payload.MAX_TABLE_REGIONS, new byte[0]);
        }
        long protocolFeatures = connection.askU64(Request.GET_PROTOCOL_FEATURES) & WANTED;
        connection.commandU64(Request.SET_PROTOCOL_FEATURES, protocolFeatures, List.of());
        connection.acknowledges(Feature.has(protocolFeatures, ProtocolFeature.REPLY_ACK));
        connection.command(Request.SET_OWNER, 0, List.of());
        long queueCount = 1;
        if (Feature.has(protocolFeatures, ProtocolFeature.MQ)) {
            queueCount = connection.askU64(Request.GET_QUEUE_NUM);
            if (queueCount < 1 || queueCount > 0xffff) {
                throw connection.violation(
                        "it says that it has %s queues".formatted(Long.toUnsignedString(queueCount)));
            }
            if (settings.deviceId() == DeviceId.NET) {
                // Daemons and front-ends count pairs there.
                queueCount *= 2;
            }
        }
        long slots = Payload.MAX_TABLE_REGIONS;
        if (Feature.has(protocolFeatures, ProtocolFeature.CONFIGURE_MEM_SLOTS)) {
            slots = connection.askU64(Request.GET_MAX_MEM_SLOTS);
            if (slots < 1) {
                throw connection.violation("it takes %s memory regions".formatted(Long.toUnsignedString(slots)));
            }
        }
        byte[] config = new byte[0];
        if (Feature.has(protocolFeatures, ProtocolFeature.CONFIG)) {
            config = firstConfig(connection, settings, features);
        }
        return new BackendOffer(
                features,
                protocolFeatures,
                (int) Math.min(queueCount, VhostUserBackendSettings.MAX_QUEUES),
                (int) Math.min(slots, Integer.MAX_VALUE),
                config);
    }

    private static byte[] firstConfig(BackendConnection connection, VhostUserBackendSettings settings, long features)
            throws IOException {
        List<ConfigField> fields = ConfigField.of(settings.deviceId());
        int whole = fields.isEmpty() ? 0 : fields.getLast().end();
        // A daemon refuses more than it knows: then only the fields of the features that it offers.
        int[] candidates = settings.configByteCount() > 0
                ? new int[] {settings.configByteCount()}
                : new int[] {(whole + 3) & -4, whole, ConfigField.byteCount(fields, features)};
        for (int byteCount : candidates) {
            byte[] config = byteCount == 0 ? new byte[0] : config(connection, byteCount);
            if (config != null) {
                return config;
            }
        }
        throw new IOException(
                "the daemon at %s gives no configuration space of %d bytes; is type=%s right? config-bytes= sets another size"
                        .formatted(settings.socket(), candidates[0], DeviceId.name(settings.deviceId())));
    }

    /**
     * Asks for the configuration space from its first byte on: some daemons ignore the offset.
     *
     * @return null where the daemon has none of that size
     */
    static byte @Nullable [] config(BackendConnection connection, int byteCount) throws IOException {
        MemorySegment payload = connection.payload();
        payload.asSlice(0, Payload.CONFIG_BYTES + byteCount).fill((byte) 0);
        new Payload.Config(0, byteCount, 0).write(payload);
        connection.send(Request.GET_CONFIG, 0, Payload.CONFIG_BYTES + byteCount, List.of());
        MemorySegment answer = connection.receive(Request.GET_CONFIG);
        connection.requireNoDescriptors(Request.GET_CONFIG);
        if (answer.byteSize() == 0) {
            return null;
        }
        if (answer.byteSize() != Payload.CONFIG_BYTES + byteCount) {
            throw connection.violation("%d bytes of configuration space were asked for, %d came"
                    .formatted(byteCount, answer.byteSize() - Payload.CONFIG_BYTES));
        }
        byte[] bytes = answer.toArray(ValueLayout.JAVA_BYTE);
        return Arrays.copyOfRange(bytes, Payload.CONFIG_BYTES, bytes.length);
    }
}
