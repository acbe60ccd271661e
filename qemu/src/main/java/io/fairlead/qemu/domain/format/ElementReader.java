package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Kept;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.Word;
import io.fairlead.qemu.domain.xml.XmlAttribute;
import io.fairlead.qemu.domain.xml.XmlElement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads an element and remembers what was read: what was not is kept and reported. One thread.
 */
final class ElementReader {
    private static final String IGNORED = "ignored: Fairlead does not know it; it is kept in the document";
    private static final Pattern DECIMAL = Pattern.compile("[0-9]{1,18}");
    private static final Pattern HEX = Pattern.compile("0[xX][0-9a-fA-F]{1,15}");

    private final XmlElement element;
    private final String path;
    private final List<Notice> notices;
    private final Set<String> attributesRead = new HashSet<>();
    private final Set<String> quiet = new HashSet<>();
    private final IdentityHashMap<XmlElement, ElementReader> opened = new IdentityHashMap<>();
    private final Map<String, List<ElementReader>> asked = new LinkedHashMap<>();
    private boolean finished;

    private ElementReader(XmlElement element, String path, List<Notice> notices) {
        this.element = element;
        this.path = path;
        this.notices = notices;
    }

    static ElementReader root(XmlElement element, List<Notice> notices) {
        return new ElementReader(element, "/" + element.name(), notices);
    }

    XmlElement element() {
        return element;
    }

    /** Where it is, as users read it. */
    String path() {
        return path;
    }

    /** Its text as it is. */
    String text() {
        return element.text();
    }

    // Attributes.

    @Nullable
    String attribute(String name) {
        attributesRead.add(name);
        return element.attribute(name);
    }

    String attribute(String name, String otherwise) {
        String value = attribute(name);
        return value == null ? otherwise : value;
    }

    String required(String name) throws DomainException {
        String value = attribute(name);
        if (value == null) {
            throw refuse("the attribute " + name + " is missing", "add " + name + "='...'");
        }
        if (value.isEmpty()) {
            throw refuseAttribute(name, "it is empty", "say which");
        }
        return value;
    }

    boolean flag(String name, boolean otherwise, String yes, String no) throws DomainException {
        String value = attribute(name);
        if (value == null) {
            return otherwise;
        }
        if (!value.equals(yes) && !value.equals(no)) {
            throw refuseAttribute(name, "\"" + value + "\" is neither", "write " + yes + " or " + no);
        }
        return value.equals(yes);
    }

    boolean yesNo(String name, boolean otherwise) throws DomainException {
        return flag(name, otherwise, "yes", "no");
    }

    int number(String name, int otherwise, int least, int most) throws DomainException {
        String value = attribute(name);
        return value == null ? otherwise : (int) number(name, value, least, most);
    }

    int requiredNumber(String name, int least, int most) throws DomainException {
        return (int) number(name, required(name), least, most);
    }

    /** A number of this element's text. */
    long numberOfText(long least, long most) throws DomainException {
        return number("", text().strip(), least, most);
    }

    private long number(String name, String value, long least, long most) throws DomainException {
        long number = -1;
        if (DECIMAL.matcher(value).matches()) {
            number = Long.parseLong(value);
        } else if (HEX.matcher(value).matches()) {
            number = Long.parseLong(value.substring(2), 16);
        }
        if (number < least || number > most) {
            String reason = "\"" + value + "\" is not a number from " + least + " to " + most;
            throw name.isEmpty() ? refuse(reason, "correct it") : refuseAttribute(name, reason, "correct it");
        }
        return number;
    }

    <E extends Enum<E> & Word> E choice(String name, E otherwise) throws DomainException {
        String value = attribute(name);
        if (value == null) {
            return otherwise;
        }
        return word(otherwise.getDeclaringClass(), value, "@" + name);
    }

    /** One of an enumeration's words in this element's text. */
    <E extends Enum<E> & Word> E choiceOfText(Class<E> type) throws DomainException {
        return word(type, text().strip(), "");
    }

    private <E extends Enum<E> & Word> E word(Class<E> type, String value, String place) throws DomainException {
        for (E constant : type.getEnumConstants()) {
            if (constant.word().equals(value)) {
                return constant;
            }
        }
        throw refuseAt(
                place,
                "\"" + value + "\" is not taken",
                "use one of "
                        + Stream.of(type.getEnumConstants()).map(Word::word).collect(Collectors.joining(", ")));
    }

    /** An absolute path without tricks. */
    @Nullable
    String path(String name) throws DomainException {
        String value = attribute(name);
        if (value != null) {
            checkPath(value, "@" + name);
        }
        return value;
    }

    String requiredPath(String name) throws DomainException {
        String value = required(name);
        checkPath(value, "@" + name);
        return value;
    }

    /** A path in this element's text. */
    String pathOfText() throws DomainException {
        String value = text().strip();
        checkPath(value, "");
        return value;
    }

    private void checkPath(String value, String place) throws DomainException {
        if (!value.startsWith("/")) {
            throw refuseAt(place, "\"" + value + "\" is not an absolute path", "begin it with /");
        }
        if ((value + "/").contains("/../") || value.chars().anyMatch(c -> c < 0x20) || value.length() > 4095) {
            throw refuseAt(
                    place, "\"" + value + "\" climbs by .., is too long, or has control characters", "write it out");
        }
    }

    // Children.

    /** The only child of a name. */
    @Nullable
    ElementReader child(String name) throws DomainException {
        List<ElementReader> found = children(name);
        if (found.size() > 1) {
            throw found.get(1).refuse("it is here a second time", "remove one");
        }
        return found.isEmpty() ? null : found.getFirst();
    }

    ElementReader requiredChild(String name) throws DomainException {
        ElementReader child = child(name);
        if (child == null) {
            throw refuse("the element <" + name + "> is missing", "add it");
        }
        return child;
    }

    /** The text of the only child of a name. */
    @Nullable
    String childText(String name) throws DomainException {
        ElementReader child = child(name);
        return child == null ? null : child.text();
    }

    /** All children of a name, without namespace. */
    List<ElementReader> children(String name) {
        return asked.computeIfAbsent(name, key -> {
            List<ElementReader> found = new ArrayList<>();
            for (XmlElement child : element.children()) {
                if (child.name().is(key)) {
                    found.add(open(child, key, found.size()));
                }
            }
            return found;
        });
    }

    /** The children of a name in a namespace. */
    List<ElementReader> children(String namespace, String name) {
        List<ElementReader> found = new ArrayList<>();
        for (XmlElement child : element.children()) {
            if (child.name().namespace().equals(namespace)
                    && child.name().local().equals(name)) {
                found.add(open(child, name, found.size()));
            }
        }
        asked.put("{" + namespace + "}" + name, found);
        return found;
    }

    /** The names of the children without namespace, each once. */
    List<String> childNames() {
        return element.children().stream()
                .filter(child -> child.name().namespace().isEmpty())
                .map(child -> child.name().local())
                .distinct()
                .toList();
    }

    /** All children, each read by itself. */
    List<ElementReader> allChildren() {
        Map<String, Integer> counts = new HashMap<>();
        List<ElementReader> all = new ArrayList<>();
        for (XmlElement child : element.children()) {
            String name = child.name().toString();
            int index = counts.merge(name, 1, Integer::sum) - 1;
            ElementReader reader = open(child, name, index);
            reader.finished = true;
            all.add(reader);
        }
        return all;
    }

    private ElementReader open(XmlElement child, String name, int index) {
        return opened.computeIfAbsent(
                child,
                key -> new ElementReader(
                        key, path + "/" + name + (index == 0 ? "" : "[" + (index + 1) + "]"), notices));
    }

    // What is not read.

    /** Attributes and children that change nothing here, and of which nobody needs to be told. */
    void quiet(String... names) {
        quiet.addAll(List.of(names));
    }

    void notice(String meaning) {
        notices.add(new Notice(element.line(), path, meaning));
    }

    /** Somebody has this element as a whole. */
    void readWhole() {
        finished = true;
    }

    /** All that was not read, here and in the children that were. */
    Kept kept() {
        List<Kept.KeptAttribute> attributes = new ArrayList<>();
        List<Kept.KeptElement> elements = new ArrayList<>();
        gather("", attributes, elements);
        finished = true;
        return new Kept(attributes, elements);
    }

    private void gather(String place, List<Kept.KeptAttribute> attributes, List<Kept.KeptElement> elements) {
        for (XmlAttribute attribute : element.attributes()) {
            String name = attribute.name().toString();
            if (!attribute.name().is(name) || !attributesRead.contains(name)) {
                attributes.add(new Kept.KeptAttribute(place, attribute.name(), attribute.value()));
                if (!quiet.contains(name)) {
                    notices.add(new Notice(element.line(), path + "/@" + name, IGNORED));
                }
            }
        }
        Map<String, Integer> counts = new HashMap<>();
        for (XmlElement child : element.children()) {
            String name = child.name().toString();
            int index = counts.merge(name, 1, Integer::sum) - 1;
            if (!opened.containsKey(child)) {
                elements.add(new Kept.KeptElement(place, child));
                if (!quiet.contains(name)) {
                    notices.add(new Notice(
                            child.line(), path + "/" + name + (index == 0 ? "" : "[" + (index + 1) + "]"), IGNORED));
                }
            }
        }
        for (List<ElementReader> readers : asked.values()) {
            for (int i = 0; i < readers.size(); i++) {
                ElementReader reader = readers.get(i);
                if (!reader.finished) {
                    reader.gather(
                            (place.isEmpty() ? "" : place + "/")
                                    + reader.element.name()
                                    + (i == 0 ? "" : "[" + i + "]"),
                            attributes,
                            elements);
                }
            }
        }
    }

    // What is wrong.

    DomainException refuse(String reason, String remedy) {
        return new DomainException(element.line(), path, reason, remedy);
    }

    DomainException refuseAttribute(String name, String reason, String remedy) {
        return refuseAt("@" + name, reason, remedy);
    }

    private DomainException refuseAt(String place, String reason, String remedy) {
        return new DomainException(element.line(), place.isEmpty() ? path : path + "/" + place, reason, remedy);
    }
}
