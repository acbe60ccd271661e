package io.fairlead.systemtests;

import io.fairlead.cli.Main;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;

/**
 * Runs commands of ours one after the other in one process, which is quicker where a JVM takes seconds to start: a line of
 * standard input is a name and the command's words between tabs. What a command prints is in NAME.stdout and NAME.stderr,
 * its exit code in NAME.code, which comes last.
 */
final class CommandLoop {
    private CommandLoop() {}

    public static void main(String[] arguments) throws Exception {
        Method execute = Main.class.getDeclaredMethod("execute", String[].class);
        execute.setAccessible(true);
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split("\t", -1);
                run(execute, words[0], Arrays.copyOfRange(words, 1, words.length));
            }
        }
    }

    private static void run(Method execute, String name, String[] words) throws IOException {
        Object exitCode = -1;
        try (PrintStream out = new PrintStream(name + ".stdout", StandardCharsets.UTF_8);
                PrintStream err = new PrintStream(name + ".stderr", StandardCharsets.UTF_8)) {
            System.setOut(out);
            System.setErr(err);
            try {
                exitCode = execute.invoke(null, (Object) words);
            } catch (ReflectiveOperationException e) {
                e.printStackTrace(err);
            }
        }
        Path whole = Files.writeString(Path.of(name + ".code.new"), exitCode + "\n");
        Files.move(whole, Path.of(name + ".code"), StandardCopyOption.ATOMIC_MOVE);
    }
}
