package io.fairlead.node;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A management device or a device of a host, as a list has it.
 *
 * @param name the kernel and Fairlead may both have one of the same
 * @param fields in order; numbers, strings and lists of strings, with the words of iproute2's {@code vdpa}
 */
public record HostObject(String name, Map<String, Object> fields) {
    public HostObject {
        fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
    }

    /** The same with one more field, at the end. */
    HostObject with(String field, Object value) {
        Map<String, Object> more = new LinkedHashMap<>(fields);
        more.put(field, value);
        return new HostObject(name, more);
    }
}
