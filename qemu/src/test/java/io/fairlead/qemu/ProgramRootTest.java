package io.fairlead.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProgramRootTest {
    private static final String LOADER = "ld-linux-x86-64.so.2";

    @TempDir
    Path folder;

    @Test
    void usesTheLoaderWhereItLiesAndPrivateLibraryFolders() throws Exception {
        Path libraries = Files.createDirectories(folder.resolve("usr/lib/x86_64-linux-gnu"));
        Files.createFile(libraries.resolve(LOADER));
        // What a package of libc has: a link that leads out of the folder.
        Files.createSymbolicLink(
                Files.createDirectories(folder.resolve("lib64")).resolve(LOADER),
                Path.of("/lib/x86_64-linux-gnu", LOADER));
        Files.createFile(Files.createDirectories(libraries.resolve("private")).resolve("libx.so.2"));
        Files.createFile(Files.createDirectories(libraries.resolve("qemu")).resolve("accel-x.so"));
        Path program = Files.createFile(
                Files.createDirectories(folder.resolve("usr/bin")).resolve("p"));
        ProgramRoot root = new ProgramRoot(folder);
        assertThat(root.command("usr/bin/p"))
                .containsExactly(
                        libraries.resolve(LOADER).toString(),
                        "--library-path",
                        libraries + ":" + libraries.resolve("private"),
                        program.toString());
        assertThat(root.commandAs("q", "usr/bin/p")).containsSubsequence("--argv0", "q", program.toString());
        assertThatThrownBy(() -> root.command("usr/bin/none"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("usr/bin/none");
    }

    @Test
    void aFolderWithoutALoaderIsRefused() throws Exception {
        Files.createFile(folder.resolve("p"));
        assertThatThrownBy(() -> new ProgramRoot(folder).command("p"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("loader");
    }

    @Test
    void aProgramThatIsNoQemuIsRefusedWithItsWords() throws Exception {
        Path program = script("echo hello from something else");
        assertThatThrownBy(() -> QemuBinary.direct(program))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("hello from something else");
    }

    @Test
    void aQemuThatEndsAtItsStartTellsWhy() throws Exception {
        Path program = script("""
                case "$1" in --version) echo "QEMU emulator version 11.1.3"; exit 0;; esac
                echo "no such machine type" >&2
                exit 3
                """);
        QemuBinary qemu = QemuBinary.direct(program);
        assertThat(qemu.version()).isEqualTo(new QemuVersion(11, 1, 3));
        assertThatThrownBy(() -> Machine.start(qemu, MachineSpec.builder().build(), folder)
                        .close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("exit code 3")
                .hasMessageContaining("no such machine type");
        assertThat(folder.resolve("serial0.sock")).doesNotExist();
    }

    private Path script(String body) throws IOException {
        Path program = folder.resolve("program");
        Files.writeString(program, "#!/bin/sh\n" + body + "\n");
        return Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}
