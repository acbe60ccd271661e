package io.fairlead.cli;

import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code fairlead completion}: a script by which a shell completes commands and options. */
@Command(
        name = "completion",
        description = "Print a script by which a shell completes commands and options.",
        mixinStandardHelpOptions = true,
        footerHeading = "%nExamples:%n",
        footer = {
            "  . <(fairlead completion bash)",
            "  fairlead completion zsh > \"${fpath[1]}/_fairlead\"",
            "",
            "The Debian package brings both along."
        })
final class CompletionCommand implements Runnable {
    /** Shells that there are scripts for. */
    enum Shell {
        bash,
        zsh
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli sets it before run
    private CommandSpec spec;

    @Parameters(paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}.")
    private Shell shell = Shell.bash;

    @Override
    public void run() {
        CommandLine root = spec.root().commandLine();
        System.out.print(script(root, shell));
        System.out.flush();
    }

    /** The script for the commands below {@code root}. */
    static String script(CommandLine root, Shell shell) {
        String name = root.getCommandName();
        String bash = AutoComplete.bash(name, root);
        return switch (shell) {
            case bash -> bash;
            // zsh runs bash's script. compinit loads the file as a function when it is first asked, which then has to
            // answer that first question, too.
            case zsh ->
                "#compdef %1$s\n%2$s\nif [[ ${funcstack[1]} = _%1$s ]]; then\n    _bash_complete -o default -F _complete_%1$s\nfi\n"
                        .formatted(name, bash);
        };
    }
}
