package io.fairlead.daemon.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A file of {@code key = value} lines. A line that begins with {@code #} is a comment, an empty one nothing. A value is all
 * to the end of the line, without blanks around it.
 */
public final class ConfigurationFile {
    private static final int MAX_BYTES = 1 << 20;
    private static final int TEXT_COLUMNS = 100;

    private ConfigurationFile() {}

    /**
     * What a file says.
     *
     * @throws ConfigurationException with the line where something is wrong
     * @throws IOException where it cannot be read
     */
    public static Map<Key, String> read(Path file) throws IOException, ConfigurationException {
        if (Files.size(file) > MAX_BYTES) {
            throw new ConfigurationException("%s is too long for a configuration file".formatted(file));
        }
        return parse(Files.readAllLines(file), file.toString());
    }

    /**
     * As {@link #read}, of lines.
     *
     * @param name for messages
     */
    public static Map<Key, String> parse(List<String> lines, String name) throws ConfigurationException {
        Map<Key, String> values = new EnumMap<>(Key.class);
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            String place = "%s, line %d: ".formatted(name, i + 1);
            int equals = line.indexOf('=');
            if (equals <= 0) {
                throw new ConfigurationException("%s'%s' is not key = value".formatted(place, line));
            }
            String word = line.substring(0, equals).strip();
            Key key = Key.of(word)
                    .orElseThrow(() -> new ConfigurationException(
                            "%sthere is no key '%s', only %s".formatted(place, word, words())));
            if (values.putIfAbsent(key, line.substring(equals + 1).strip()) != null) {
                throw new ConfigurationException("%s%s is given twice".formatted(place, word));
            }
        }
        return values;
    }

    private static String words() {
        return Arrays.stream(Key.values()).map(Key::word).collect(Collectors.joining(", "));
    }

    /** A file that says nothing but what every key means. */
    public static String documented() {
        return documented(Map.of());
    }

    /** A file that says what every key means, and sets some of them. */
    static String documented(Map<Key, String> set) {
        StringBuilder text = new StringBuilder();
        text.append("# The configuration of Fairlead's daemon. What is behind # is a default or not set.\n");
        for (Key key : Key.values()) {
            text.append('\n');
            wrap(key.meaning(), text);
            String value = set.get(key);
            text.append(value == null ? "#" : "").append(key.word()).append(" = ");
            text.append(value == null ? key.defaultValue() : value);
            while (text.charAt(text.length() - 1) == ' ') {
                text.setLength(text.length() - 1);
            }
            text.append('\n');
        }
        return text.toString();
    }

    private static void wrap(String meaning, StringBuilder text) {
        int column = 0;
        for (String word : meaning.split(" ", -1)) {
            if (column > 0 && column + word.length() >= TEXT_COLUMNS) {
                text.append('\n');
                column = 0;
            }
            text.append(column == 0 ? "# " : " ").append(word);
            column += word.length() + 1;
        }
        text.append('\n');
    }
}
