package io.fairlead.kernel.management;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Who may open the character devices of vDPA devices, by type: lines of {@code TYPE OWNER:GROUP MODE}, such as {@code net
 * root:kvm 0660}. TYPE is that of stable names, or {@code *} for all others. Empty lines and those that begin with {@code
 * #} say nothing. Immutable.
 */
public final class DevicePermissions {
    /** Where the rules are unless said otherwise. */
    public static final Path DEFAULT_FILE = Path.of("/etc/fairlead/device-permissions");

    /** No rules: devices stay as the kernel and udev make them. */
    public static final DevicePermissions NONE = new DevicePermissions(Map.of());

    private static final int ALL_MODES = 0777;

    /**
     * A type's rule.
     *
     * @param mode the permission bits
     */
    record Rule(String owner, String group, int mode) {}

    private final Map<String, Rule> rules;

    private DevicePermissions(Map<String, Rule> rules) {
        this.rules = Map.copyOf(rules);
    }

    /**
     * Reads rules; none where the default file does not exist.
     *
     * @throws IOException where a line is wrong: says which
     */
    public static DevicePermissions read(Path file) throws IOException {
        try {
            return parse(Files.readAllLines(file), file.toString());
        } catch (NoSuchFileException e) {
            if (file.equals(DEFAULT_FILE)) {
                return NONE;
            }
            throw new IOException("no such file of device permissions: " + file, e);
        }
    }

    static DevicePermissions parse(List<String> lines, String source) throws IOException {
        Map<String, Rule> rules = new LinkedHashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (!line.isEmpty() && !line.startsWith("#")) {
                String[] words = line.split("\\s+", -1);
                String[] names = words.length == 3 ? words[1].split(":", -1) : new String[0];
                if (names.length != 2
                        || names[0].isEmpty()
                        || names[1].isEmpty()
                        || !words[2].matches("[0-7]{3,4}")
                        || Integer.parseInt(words[2], 8) > ALL_MODES) {
                    throw new IOException("%s, line %d: '%s' is not TYPE OWNER:GROUP MODE, such as net root:kvm 0660"
                            .formatted(source, i + 1, Refusal.printable(line)));
                }
                Rule rule = new Rule(names[0], names[1], Integer.parseInt(words[2], 8));
                if (rules.putIfAbsent(words[0], rule) != null) {
                    throw new IOException(
                            "%s, line %d: there is a rule for %s already".formatted(source, i + 1, words[0]));
                }
            }
        }
        return new DevicePermissions(rules);
    }

    /** The rule of a type. */
    Optional<Rule> of(String type) {
        Rule rule = rules.get(type);
        return Optional.ofNullable(rule == null ? rules.get("*") : rule);
    }

    /**
     * Gives a character device the owner, group and mode of its type; nothing where no rule is for it.
     *
     * @throws IOException where there is no such user or group, or this process may not
     */
    public void apply(String type, Path characterDevice) throws IOException {
        Optional<Rule> found = of(type);
        if (found.isEmpty()) {
            return;
        }
        Rule rule = found.get();
        PosixFileAttributeView view = Files.getFileAttributeView(characterDevice, PosixFileAttributeView.class);
        UserPrincipalLookupService lookup = characterDevice.getFileSystem().getUserPrincipalLookupService();
        UserPrincipal owner = known(type, "user", rule.owner(), lookup::lookupPrincipalByName);
        GroupPrincipal group = known(type, "group", rule.group(), lookup::lookupPrincipalByGroupName);
        // Narrow first: nobody gets in between who may in neither state.
        view.setPermissions(Set.of());
        view.setOwner(owner);
        view.setGroup(group);
        view.setPermissions(permissions(rule.mode()));
    }

    private interface Lookup<T> {
        T byName(String name) throws IOException;
    }

    private static <T> T known(String type, String kind, String name, Lookup<T> lookup) throws IOException {
        try {
            return lookup.byName(name);
        } catch (UserPrincipalNotFoundException e) {
            throw new IOException("permissions of %s devices: this host has no %s '%s'".formatted(type, kind, name), e);
        }
    }

    private static Set<PosixFilePermission> permissions(int mode) {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        PosixFilePermission[] fromHighest = PosixFilePermission.values();
        for (int i = 0; i < fromHighest.length; i++) {
            if ((mode >>> (fromHighest.length - 1 - i) & 1) != 0) {
                permissions.add(fromHighest[i]);
            }
        }
        return permissions;
    }
}
