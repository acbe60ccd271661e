package io.fairlead.daemon.store;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/** What is to be written together, or not at all. One thread. */
public final class Change {
    private final Map<String, ObjectNode> put = new LinkedHashMap<>();
    private final Set<String> deleted = new LinkedHashSet<>();

    /** One object. */
    public static Change ofPut(String key, ObjectNode value) {
        return new Change().put(key, value);
    }

    /** One object less. */
    public static Change ofDelete(String key) {
        return new Change().delete(key);
    }

    /** Replaces what is there under the key. The value is copied. */
    public Change put(String key, ObjectNode value) {
        deleted.remove(key);
        put.put(key, value.deepCopy());
        return this;
    }

    /** Removes what is there under the key; nothing may be. */
    public Change delete(String key) {
        put.remove(key);
        deleted.add(key);
        return this;
    }

    Map<String, ObjectNode> put() {
        return put;
    }

    Set<String> deleted() {
        return deleted;
    }
}
