package io.fairlead.testbed;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Writes a cpio archive in the "new ASCII" format, which the kernel unpacks as its first file system
 * (Documentation/driver-api/early-userspace/buffer-format). Owner root, times zero and numbered inodes: equal contents
 * give equal archives. Folders above an entry are made by themselves. One thread.
 */
final class CpioArchive implements AutoCloseable {
    private static final int REGULAR = 0100000;
    private static final int FOLDER = 0040000;
    private static final int LINK = 0120000;
    private static final String TRAILER = "TRAILER!!!";
    private static final int HEADER_BYTES = 110;

    private final OutputStream out;
    private final Set<String> folders = new HashSet<>();
    private int nextInode = 1;

    CpioArchive(Path file) throws IOException {
        this(Files.newOutputStream(file));
    }

    CpioArchive(OutputStream out) {
        this.out = new BufferedOutputStream(out, 1 << 16);
    }

    /** A folder, if it is not there yet. */
    void folder(String name) throws IOException {
        if (name.isEmpty() || !folders.add(name)) {
            return;
        }
        parentOf(name);
        entry(name, FOLDER | 0755, 2, new byte[0]);
    }

    /** A file with the given permissions. */
    void file(String name, byte[] content, int permissions) throws IOException {
        parentOf(name);
        entry(name, REGULAR | permissions, 1, content);
    }

    /** A symbolic link. */
    void link(String name, String target) throws IOException {
        parentOf(name);
        entry(name, LINK | 0777, 1, target.getBytes(StandardCharsets.UTF_8));
    }

    /** Everything below a folder of this machine, in the order of names. */
    void tree(Path source) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(source)) {
            paths = walk.sorted().toList();
        }
        for (Path path : paths) {
            String name = source.relativize(path).toString();
            if (Files.isSymbolicLink(path)) {
                link(name, Files.readSymbolicLink(path).toString());
            } else if (Files.isDirectory(path)) {
                folder(name);
            } else {
                file(name, Files.readAllBytes(path), Files.isExecutable(path) ? 0755 : 0644);
            }
        }
    }

    @Override
    public void close() throws IOException {
        try (out) {
            header(0, 0, 1, 0, TRAILER);
        }
    }

    private void parentOf(String name) throws IOException {
        if (name.startsWith("/")) {
            throw new IllegalArgumentException("Names in the archive are relative: " + name);
        }
        int slash = name.lastIndexOf('/');
        if (slash > 0) {
            folder(name.substring(0, slash));
        }
    }

    private void entry(String name, int mode, int links, byte[] content) throws IOException {
        header(nextInode++, mode, links, content.length, name);
        out.write(content);
        pad(content.length);
    }

    private void header(int inode, int mode, int links, int size, String name) throws IOException {
        byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
        String fields = String.format(
                Locale.ROOT,
                "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                inode,
                mode,
                0,
                0,
                links,
                0,
                size,
                0,
                0,
                0,
                0,
                nameBytes.length + 1,
                0);
        out.write(fields.getBytes(StandardCharsets.US_ASCII));
        out.write(nameBytes);
        out.write(0);
        pad(HEADER_BYTES + nameBytes.length + 1);
    }

    private void pad(int length) throws IOException {
        for (int i = length; i % 4 != 0; i++) {
            out.write(0);
        }
    }
}
