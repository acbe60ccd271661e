package io.fairlead.cli.manual;

import java.util.List;
import java.util.Locale;

/** Writes a manual page in the macros of man(7). One thread. */
final class Roff {
    /** How long a line of prose is at most, as mandoc's lint wants it. */
    private static final int LINE_CHARACTERS = 80;

    private final StringBuilder text = new StringBuilder();
    private boolean afterHeading;

    /** The page's head. */
    Roff title(String name, int section, String date, String source) {
        return line(".TH \"%s\" %d %s \"%s\" Fairlead"
                .formatted(escaped(name.toUpperCase(Locale.ROOT)), section, date, escaped(source)));
    }

    Roff section(String heading) {
        return heading("SH", heading);
    }

    Roff subsection(String heading) {
        return heading("SS", heading);
    }

    /** A paragraph. */
    Roff paragraph(String words) {
        if (!words.isBlank()) {
            newParagraph().prose(words);
        }
        return this;
    }

    /** A command line: its name in bold, then what it takes. */
    Roff synopsis(String command, String arguments) {
        return newParagraph().line(("\\fB" + escaped(command) + "\\fR " + escaped(arguments)).strip());
    }

    /** A term in bold with its parameter in italics, and what it means. */
    Roff term(List<String> names, String parameter, String meaning) {
        StringBuilder head = new StringBuilder();
        for (String name : names) {
            head.append(head.isEmpty() ? "" : ", ")
                    .append("\\fB")
                    .append(escaped(name))
                    .append("\\fR");
        }
        if (!parameter.isEmpty()) {
            head.append(names.isEmpty() || parameter.startsWith("=") ? "" : " ")
                    .append("\\fI")
                    .append(escaped(parameter))
                    .append("\\fR");
        }
        return line(".TP").line(guarded(head.toString())).prose(meaning);
    }

    /** Lines that stay as they are. */
    Roff example(List<String> lines) {
        newParagraph().line(".RS 4").line(".nf");
        lines.forEach(line -> line(guarded(escaped(line))));
        return line(".fi").line(".RE");
    }

    private Roff heading(String macro, String words) {
        line(".%s \"%s\"".formatted(macro, escaped(words)));
        afterHeading = true;
        return this;
    }

    /** A heading begins one already. */
    private Roff newParagraph() {
        return afterHeading ? this : line(".PP");
    }

    /** Words that are set anew, broken into lines that people can read. */
    private Roff prose(String words) {
        StringBuilder line = new StringBuilder();
        for (String word : words.strip().split("\\s+", -1)) {
            String next = escaped(word);
            if (!line.isEmpty() && line.length() + 1 + next.length() > LINE_CHARACTERS - 2) {
                line(guarded(line.toString()));
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(next);
        }
        return line(guarded(line.toString()));
    }

    private Roff line(String line) {
        text.append(line).append('\n');
        afterHeading = false;
        return this;
    }

    /** Characters that roff would read as its own or set as others than a terminal's. */
    private static String escaped(String words) {
        StringBuilder escaped = new StringBuilder();
        for (int i = 0; i < words.length(); i++) {
            char c = words.charAt(i);
            switch (c) {
                case '\\' -> escaped.append("\\e");
                case '-' -> escaped.append("\\-");
                case '\'' -> escaped.append("\\(aq");
                case '`' -> escaped.append("\\(ga");
                case '^' -> escaped.append("\\(ha");
                case '~' -> escaped.append("\\(ti");
                case '"' -> escaped.append("\\(dq");
                default -> escaped.append(c);
            }
        }
        return escaped.toString();
    }

    /** A line that begins with a dot is no request. */
    private static String guarded(String line) {
        return line.startsWith(".") ? "\\&" + line : line;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
