package io.fairlead.qemu;

import tools.jackson.databind.JsonNode;

/**
 * Something that QEMU reported by itself.
 *
 * @param name such as {@code STOP}, {@code MIGRATION} or {@code DEVICE_DELETED}
 * @param data the event's own members; an empty object where it has none
 * @param timestampMicros when, by QEMU's wall clock, since 1970; 0 where QEMU gave no time
 */
public record QmpEvent(String name, JsonNode data, long timestampMicros) {}
