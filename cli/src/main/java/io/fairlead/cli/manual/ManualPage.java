package io.fairlead.cli.manual;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * A manual page of a command with all that is below it.
 *
 * @param fileName such as {@code fairlead-vm.1}
 * @param roff the page in man(7)'s macros
 */
public record ManualPage(String fileName, String roff) {
    /** Commands for who administers a host. */
    private static final Set<String> ADMINISTRATION = Set.of("daemon", "dev", "mgmtdev", "node", "serve");

    /** Options of every command, which a page explains once. */
    private static final Set<String> COMMON = Set.of("--help", "--verbose", "--version");

    private static final int USER_SECTION = 1;
    private static final int ADMINISTRATION_SECTION = 8;

    /**
     * The page of the program and one of each of its commands, but those that are hidden.
     *
     * @param version what the pages' foot says
     */
    public static List<ManualPage> of(CommandSpec program, String version, LocalDate date) {
        List<ManualPage> pages = new ArrayList<>();
        List<CommandSpec> commands = visible(program);
        pages.add(page(
                program,
                version,
                date,
                commands.stream().map(ManualPage::reference).sorted().collect(Collectors.joining(", "))));
        for (CommandSpec command : commands) {
            pages.add(page(command, version, date, reference(program)));
        }
        return pages;
    }

    private static ManualPage page(CommandSpec command, String version, LocalDate date, String seeAlso) {
        Roff roff = new Roff();
        roff.title(pageName(command), section(command), date.toString(), version);
        roff.section("NAME").paragraph(pageName(command) + " - " + summary(command));
        roff.section("SYNOPSIS");
        synopsis(roff, command);
        roff.section("DESCRIPTION");
        description(roff, command);
        if (hasArguments(command)) {
            roff.section("OPTIONS");
            arguments(roff, command, Set.of());
        }
        List<CommandSpec> below = visible(command);
        if (!below.isEmpty()) {
            roff.section("COMMANDS");
            if (command.parent() == null) {
                below.forEach(each -> roff.term(List.of(each.name()), "", summary(each) + "."));
            } else {
                below.forEach(each -> commandBelow(roff, each));
            }
        }
        footer(roff, command, true);
        if (!command.usageMessage().exitCodeList().isEmpty()) {
            roff.section("EXIT STATUS");
            command.usageMessage().exitCodeList().forEach((code, meaning) -> roff.term(List.of(code), "", meaning));
        }
        roff.section("SEE ALSO").paragraph(seeAlso);
        return new ManualPage(pageName(command) + "." + section(command), roff.toString());
    }

    private static void commandBelow(Roff roff, CommandSpec command) {
        roff.subsection(command.qualifiedName());
        synopsis(roff, command);
        description(roff, command);
        arguments(roff, command, COMMON);
        footer(roff, command, false);
        visible(command).forEach(each -> commandBelow(roff, each));
    }

    private static void synopsis(Roff roff, CommandSpec command) {
        String line = new CommandLine.Help(command, CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF))
                .synopsis(0)
                .strip()
                .replaceAll("\\s+", " ");
        String name = command.qualifiedName();
        roff.synopsis(
                name, line.startsWith(name) ? line.substring(name.length()).strip() : line);
    }

    private static void description(Roff roff, CommandSpec command) {
        for (String line : command.usageMessage().description()) {
            roff.paragraph(plain(line));
        }
    }

    private static boolean hasArguments(CommandSpec command) {
        return !command.positionalParameters().isEmpty()
                || command.options().stream().anyMatch(option -> !option.hidden());
    }

    private static void arguments(Roff roff, CommandSpec command, Set<String> known) {
        for (PositionalParamSpec parameter : command.positionalParameters()) {
            if (!parameter.hidden()) {
                roff.term(List.of(), parameter.paramLabel(), joined(parameter.description()));
            }
        }
        // In the order of the alphabet, as in help texts; each once, where an option was inherited, too.
        TreeMap<String, OptionSpec> options = new TreeMap<>();
        command.options().stream()
                .filter(option -> !option.hidden() && !known.contains(option.longestName()))
                .forEach(option -> options.put(option.longestName(), option));
        for (OptionSpec option : options.values()) {
            boolean takesValue = option.arity().max() > 0;
            roff.term(
                    Arrays.asList(option.names()),
                    takesValue ? "=" + option.paramLabel() : "",
                    joined(option.description()));
        }
    }

    /** Lines that are indented are examples, others are prose. */
    private static void footer(Roff roff, CommandSpec command, boolean withSection) {
        String[] lines = command.usageMessage().footer();
        if (lines.length == 0) {
            return;
        }
        String heading = plain(command.usageMessage().footerHeading()).strip().replace(":", "");
        if (withSection) {
            roff.section(heading.isEmpty() ? "NOTES" : heading.toUpperCase(Locale.ROOT));
        }
        List<String> prose = new ArrayList<>();
        List<String> example = new ArrayList<>();
        for (String line : lines) {
            String text = plain(line);
            boolean isExample = text.startsWith("  ");
            if (!isExample && !example.isEmpty()) {
                roff.example(example);
                example.clear();
            }
            if ((isExample || text.isBlank()) && !prose.isEmpty()) {
                roff.paragraph(String.join(" ", prose));
                prose.clear();
            }
            if (isExample) {
                example.add(text.substring(2));
            } else if (!text.isBlank()) {
                prose.add(text);
            }
        }
        if (!example.isEmpty()) {
            roff.example(example);
        }
        roff.paragraph(String.join(" ", prose));
    }

    private static List<CommandSpec> visible(CommandSpec command) {
        // Aliases are there as keys of their own.
        return command.subcommands().values().stream()
                .map(CommandLine::getCommandSpec)
                .distinct()
                .filter(each ->
                        !each.usageMessage().hidden() && !(each.userObject() instanceof CommandLine.HelpCommand))
                .toList();
    }

    private static String summary(CommandSpec command) {
        String[] description = command.usageMessage().description();
        String first = description.length == 0 ? command.name() : plain(description[0]);
        return first.endsWith(".") ? first.substring(0, first.length() - 1) : first;
    }

    private static String pageName(CommandSpec command) {
        return command.qualifiedName("-");
    }

    private static String reference(CommandSpec command) {
        return "%s(%d)".formatted(pageName(command), section(command));
    }

    private static int section(CommandSpec command) {
        return command.parent() != null && ADMINISTRATION.contains(command.name())
                ? ADMINISTRATION_SECTION
                : USER_SECTION;
    }

    private static String joined(String[] lines) {
        return plain(String.join(" ", lines));
    }

    /** Without picocli's format signs and markup. */
    private static String plain(String text) {
        return CommandLine.Help.Ansi.OFF.string(text.replace("%n", "\n").replace("%%", "%"));
    }
}
