package io.fairlead.kernel.management;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Holds every number of the family vdpa against the C header of the machine that builds it, as far as that knows it. */
class VdpaUapiTest {
    @TempDir
    private Path folder;

    @Test
    void everyNumberIsThatOfTheHeader() throws Exception {
        String header = preprocessed();
        Map<String, Long> expected = new LinkedHashMap<>();
        for (Field field : VdpaUapi.class.getDeclaredFields()) {
            if (field.getType() == int.class && isKnown(field.getName(), header)) {
                expected.put(field.getName(), (long) field.getInt(null));
            }
        }
        // Linux 6.1 has them; those for disks are younger.
        assertThat(expected).hasSizeGreaterThan(25).containsKey("VDPA_ATTR_DEV_FEATURES");
        StringBuilder source = new StringBuilder("#include <stdio.h>\n#include <linux/vdpa.h>\nint main(void) {\n");
        expected.keySet().forEach(name -> source.append("printf(\"%lld\\n\", (long long) " + name + ");\n"));
        source.append("puts(VDPA_GENL_NAME);\nreturn 0;\n}\n");
        Path probe = Files.writeString(folder.resolve("probe.c"), source.toString());
        Path program = folder.resolve("probe");
        assertThat(run("gcc", "-o", program.toString(), probe.toString())).isEmpty();
        List<String> wanted = new ArrayList<>();
        expected.values().forEach(value -> wanted.add(Long.toString(value)));
        wanted.add(VdpaUapi.VDPA_GENL_NAME);
        assertThat(run(program.toString())).isEqualTo(wanted);
    }

    private static boolean isKnown(String name, String header) {
        return name.equals("VDPA_GENL_VERSION")
                || Pattern.compile("\\b" + name + "\\b").matcher(header).find();
    }

    private String preprocessed() throws IOException, InterruptedException {
        Path source = Files.writeString(folder.resolve("header.c"), "#include <linux/vdpa.h>\n");
        try {
            String text = String.join("\n", run("gcc", "-E", source.toString()));
            Assumptions.assumeTrue(
                    text.contains("VDPA_CMD_DEV_NEW"), "numbers not checked, there is no linux/vdpa.h: " + text);
            return text;
        } catch (IOException e) {
            return Assumptions.abort("numbers not checked, there is no gcc: " + e.getMessage());
        }
    }

    private List<String> run(String... command) throws IOException, InterruptedException {
        Path output = folder.resolve("output.txt");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        process.waitFor();
        return Files.readAllLines(output);
    }
}
