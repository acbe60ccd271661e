package io.fairlead.devices.fs;

import io.fairlead.devices.base.RingSettings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * How a shared file system shall be.
 *
 * @param path the folder of the host that the guest gets
 * @param tag what the guest mounts it by, at most 36 bytes
 * @param queueCount request queues, 1 to {@value #MAX_QUEUES}; the one for requests that go ahead is not counted
 * @param rings queue size and features
 * @param readOnly the guest may change nothing
 * @param cache what the guest may keep
 * @param hostLocks whether locks that the guest's processes take count on the host and for other guests; else the guest
 *     keeps them for itself
 * @param xattr which extended attributes the guest has
 * @param users the guest's users on the host
 * @param groups the guest's groups on the host
 * @param maxInodes the most files that the guest may know at a time
 * @param maxHandles the most that it may have open
 * @param maxDescriptors how many files that the guest knows and does not have open are held by a descriptor
 * @param fileHandles whether files are found again by the host's file handles, where it has them
 * @param export the user's name for what is exported, the same on every host that reaches it; empty to derive one
 */
record FsSettings(
        Path path,
        String tag,
        int queueCount,
        RingSettings rings,
        boolean readOnly,
        Cache cache,
        boolean hostLocks,
        Xattr xattr,
        IdMap users,
        IdMap groups,
        int maxInodes,
        int maxHandles,
        int maxDescriptors,
        boolean fileHandles,
        String export) {
    static final int MAX_QUEUES = 64;
    static final int MAX_TAG_BYTES = 36;
    static final int MAX_FILES = 1 << 24;
    static final int MAX_EXPORT_CHARACTERS = 200;

    /** What the guest may keep of files that others change too. */
    enum Cache {
        /** Nothing: every read and every look goes to the host. */
        NEVER,
        /** Names and attributes for a second, content until a file is opened again or was seen to change. */
        AUTO,
        /** Everything, and writes are held back: the guest is alone with the folder. */
        ALWAYS
    }

    /** Which extended attributes are passed through. */
    enum Xattr {
        OFF,
        /** Those that any user may set: {@code user.*}. */
        USER,
        /** All, also {@code trusted.*} and {@code security.*}, which mean something to the host. */
        ALL
    }

    /** @throws IllegalArgumentException where a value is not allowed: says which, and what is */
    FsSettings {
        int tagBytes = tag.getBytes(StandardCharsets.UTF_8).length;
        if (tagBytes < 1 || tagBytes > MAX_TAG_BYTES || tag.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("tag: '%s' is not 1 to %d bytes of text".formatted(tag, MAX_TAG_BYTES));
        }
        if (queueCount < 1 || queueCount > MAX_QUEUES) {
            throw new IllegalArgumentException("queues: %d is not in 1..%d".formatted(queueCount, MAX_QUEUES));
        }
        if (maxInodes < 1 || maxInodes > MAX_FILES) {
            throw new IllegalArgumentException("max-inodes: %d is not in 1..%d".formatted(maxInodes, MAX_FILES));
        }
        if (maxHandles < 1 || maxHandles > MAX_FILES) {
            throw new IllegalArgumentException("max-handles: %d is not in 1..%d".formatted(maxHandles, MAX_FILES));
        }
        if (maxDescriptors < 1 || maxDescriptors > MAX_FILES) {
            throw new IllegalArgumentException(
                    "max-descriptors: %d is not in 1..%d".formatted(maxDescriptors, MAX_FILES));
        }
        if (export.length() > MAX_EXPORT_CHARACTERS || export.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException(
                    "export: '%s' is not at most %d printable characters".formatted(export, MAX_EXPORT_CHARACTERS));
        }
    }
}
