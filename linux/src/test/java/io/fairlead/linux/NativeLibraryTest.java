package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
    @TempDir
    private Path folder;

    @Test
    void callsAFunctionOfTheCLibrary() throws Throwable {
        MethodHandle strlen = NativeLibrary.standard().function("strlen", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            assertThat((long) strlen.invokeExact(arena.allocateFrom("fairlead")))
                    .isEqualTo(8);
        }
    }

    @Test
    void callsAFunctionOfALibraryThatWasLoaded() throws Throwable {
        Path source = folder.resolve("twice.c");
        Path library = folder.resolve("libtwice.so");
        Files.writeString(source, "int twice(int x) { return 2 * x; }\nconst char *name(void) { return \"twée\"; }\n");
        Process compiler = new ProcessBuilder("gcc", "-shared", "-fPIC", "-o", library.toString(), source.toString())
                .inheritIO()
                .start();
        assertThat(compiler.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(compiler.exitValue()).isZero();

        NativeLibrary opened = NativeLibrary.open(library);
        MethodHandle twice = opened.function("twice", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
        MethodHandle name = opened.function("name", FunctionDescriptor.of(JAVA_LONG));
        assertThat((int) twice.invokeExact(21)).isEqualTo(42);
        assertThat(NativeLibrary.text((long) name.invokeExact())).isEqualTo("twée");
        assertThatThrownBy(() -> opened.function("thrice", FunctionDescriptor.of(JAVA_INT, JAVA_INT)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("libtwice.so has no function thrice");
    }

    @Test
    void saysWhichFileCannotBeLoaded() throws Exception {
        Path text = Files.writeString(folder.resolve("notes.txt"), "no library");
        assertThatThrownBy(() -> NativeLibrary.open(text))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot load " + text);
        assertThatThrownBy(() -> NativeLibrary.open(folder.resolve("missing.so")))
                .isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void readsATextThatEndsAtItsZero() {
        try (Arena arena = Arena.ofConfined()) {
            assertThat(NativeLibrary.text(arena.allocateFrom("first").address()))
                    .isEqualTo("first");
        }
        assertThat(NativeLibrary.text(0)).isEmpty();
    }
}
