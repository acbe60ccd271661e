package io.fairlead.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads arguments as iproute2 takes them: words in pairs, a name and its value. */
final class WordPairs {
    private WordPairs() {}

    /**
     * @param allowed the names that there may be
     * @throws IllegalArgumentException where a name is unknown or comes twice, or its value is missing
     */
    static Map<String, String> parse(List<String> words, List<String> allowed) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (int i = 0; i < words.size(); i += 2) {
            String name = words.get(i);
            if (!allowed.contains(name)) {
                throw new IllegalArgumentException(
                        "unknown word '%s'; there are: %s".formatted(name, String.join(", ", allowed)));
            }
            if (i + 1 == words.size()) {
                throw new IllegalArgumentException("the value of '%s' is missing".formatted(name));
            }
            if (pairs.putIfAbsent(name, words.get(i + 1)) != null) {
                throw new IllegalArgumentException("'%s' is there twice".formatted(name));
            }
        }
        return pairs;
    }

    /**
     * Reads {@code KEY=VALUE}s.
     *
     * @throws IllegalArgumentException where one is none, or a key comes twice
     */
    static Map<String, String> attributes(List<String> words) {
        Map<String, String> attributes = new LinkedHashMap<>();
        for (String word : words) {
            int equals = word.indexOf('=');
            if (equals <= 0) {
                throw new IllegalArgumentException("'%s' is not key=value".formatted(word));
            }
            if (attributes.putIfAbsent(word.substring(0, equals), word.substring(equals + 1)) != null) {
                throw new IllegalArgumentException("'%s' is there twice".formatted(word.substring(0, equals)));
            }
        }
        return attributes;
    }

    /** @throws IllegalArgumentException where it is missing */
    static String take(Map<String, String> pairs, String name) {
        String value = pairs.remove(name);
        if (value == null) {
            throw new IllegalArgumentException("'%s' is missing".formatted(name));
        }
        return value;
    }
}
