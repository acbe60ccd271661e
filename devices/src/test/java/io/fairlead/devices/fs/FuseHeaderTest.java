package io.fairlead.devices.fs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Holds every number and layout of the protocol against the kernel's header of the machine that builds it. */
class FuseHeaderTest {
    private static final Path HEADER = Path.of("/usr/include/linux/fuse.h");

    /** Newer than the oldest header that we build with. */
    private static final List<String> NEWER = List.of("STATX", "F_DIRECT_IO_ALLOW_MMAP");

    @TempDir
    Path folder;

    @Test
    void agreesWithTheKernelsHeader() throws Exception {
        if (!Files.exists(HEADER)) {
            abort("skipped: %s is missing (Debian: linux-libc-dev)".formatted(HEADER));
        }
        Map<String, Long> expected = new LinkedHashMap<>();
        for (Field field : FuseOpcode.class.getDeclaredFields()) {
            if (!NEWER.contains(field.getName())) {
                expected.put("FUSE_" + field.getName(), ((Number) field.get(null)).longValue());
            }
        }
        for (Field field : FuseFlag.class.getDeclaredFields()) {
            String name = field.getName();
            if (!NEWER.contains(name)) {
                expected.put(
                        name.startsWith("F_") ? "FUSE_" + name.substring(2) : name,
                        ((Number) field.get(null)).longValue());
            }
        }
        for (Class<?> structures : List.of(Fuse.class, FuseAttribute.class, FuseName.class, FuseFile.class)) {
            for (Class<?> structure : structures.getDeclaredClasses()) {
                if (!structure.getSimpleName().equals("StatxOut")) {
                    addStructure(structure, expected);
                }
            }
        }
        assertThat(expected).hasSizeGreaterThan(200);
        assertThat(run(expected)).isEqualTo(expected);
    }

    private static void addStructure(Class<?> structure, Map<String, Long> expected) throws IllegalAccessException {
        String name = "struct fuse_"
                + structure
                        .getSimpleName()
                        .replaceAll("([a-z0-9])([A-Z])", "$1_$2")
                        .toLowerCase(Locale.ROOT);
        for (Field field : structure.getDeclaredFields()) {
            String member = field.getName();
            if (member.equals("BYTES")) {
                expected.put("sizeof(%s)".formatted(name), (long) field.getInt(null));
            } else if (!member.equals("COMPAT_BYTES")) {
                expected.put(
                        "offsetof(%s, %s)".formatted(name, member.toLowerCase(Locale.ROOT)), (long) field.getInt(null));
            }
        }
    }

    private Map<String, Long> run(Map<String, Long> expected) throws Exception {
        StringBuilder source = new StringBuilder("#include <stddef.h>\n#include <stdio.h>\n#include <linux/fuse.h>\n");
        source.append("int main(void) {\n");
        expected.keySet()
                .forEach(expression -> source.append("printf(\"%lld\\n\", (long long) (" + expression + "));\n"));
        source.append("return 0;\n}\n");
        Path file = Files.writeString(folder.resolve("probe.c"), source);
        Path program = folder.resolve("probe");
        String complaints = output("gcc", "-o", program.toString(), file.toString());
        assertThat(complaints).isEmpty();
        List<String> lines = output(program.toString()).lines().toList();
        Map<String, Long> actual = new LinkedHashMap<>();
        for (String expression : expected.keySet()) {
            actual.put(expression, Long.parseLong(lines.get(actual.size())));
        }
        return actual;
    }

    private static String output(String... command) throws Exception {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            abort("not checked, there is no gcc: " + e.getMessage());
            throw e;
        }
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }
}
