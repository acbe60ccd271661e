package io.fairlead.vdpa.preflight;

import static io.fairlead.vdpa.preflight.FieldRule.Relation.AT_LEAST;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.EQUAL;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.HINT;

import io.fairlead.virtio.ConfigField;
import io.fairlead.virtio.NetConfig;
import java.util.List;
import java.util.Set;

/** The network device. */
final class NetChecks {
    // Without MAC the bytes of the address mean nothing, though they are always there.
    private static final ConfigField MAC =
            new ConfigField(NetConfig.MAC.name(), NetConfig.MAC.offset(), NetConfig.MAC.byteCount(), NetConfig.F_MAC);

    private static final String PROVISION = "create the destination with the source's value";

    static final TypeChecks CHECKS = new TypeChecks(
            List.of(
                    new FieldRule(MAC, EQUAL, PROVISION),
                    new FieldRule(NetConfig.MAX_VIRTQUEUE_PAIRS, EQUAL, PROVISION),
                    new FieldRule(NetConfig.MTU_BYTES, AT_LEAST, PROVISION),
                    new FieldRule(NetConfig.SPEED_MEGABITS, HINT, ""),
                    new FieldRule(NetConfig.DUPLEX, HINT, ""),
                    new FieldRule(NetConfig.RSS_MAX_KEY_BYTES, AT_LEAST, PROVISION),
                    new FieldRule(NetConfig.RSS_MAX_INDIRECTION_TABLE_LENGTH, AT_LEAST, PROVISION),
                    new FieldRule(NetConfig.SUPPORTED_HASH_TYPES, EQUAL, PROVISION),
                    new FieldRule(NetConfig.SUPPORTED_TUNNEL_TYPES, EQUAL, PROVISION)),
            Set.of(),
            true);

    private NetChecks() {}
}
