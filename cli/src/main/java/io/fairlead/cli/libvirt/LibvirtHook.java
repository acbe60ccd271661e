package io.fairlead.cli.libvirt;

import io.fairlead.qemu.domain.xml.XmlException;
import io.fairlead.qemu.domain.xml.XmlParser;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/**
 * What libvirt's hook does: before a machine starts, or comes in by a migration, each of its devices has to be there. It never
 * calls libvirt, which waits for it.
 */
public final class LibvirtHook {
    /** Where libvirt looks for hooks of several authors. */
    public static final String FOLDER = "/etc/libvirt/hooks/qemu.d";

    private static final String PREPARE = "prepare";
    private static final Duration TIMEOUT = Duration.ofSeconds(5);

    private LibvirtHook() {}

    /**
     * Writes the script that libvirt calls. It starts Fairlead for machines alone that have its devices.
     *
     * @param folder libvirt's {@value #FOLDER}, made where it is not there
     * @param program the fairlead command
     * @param daemon the address of this host's daemon
     * @return the script
     */
    public static Path install(Path folder, Path program, String daemon) throws IOException {
        String words = program.toString();
        if (daemon.contains("'")) {
            throw new IOException("the address %s cannot be written into a script".formatted(daemon));
        }
        if (!program.isAbsolute() || words.contains("'") || !Files.isExecutable(program)) {
            throw new IOException(
                    "%s cannot be called by libvirt: give the path of the fairlead command".formatted(program));
        }
        Path script = Files.createDirectories(folder).resolve("fairlead");
        Path partial = Files.createTempFile(
                folder,
                ".fairlead",
                "",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        try {
            Files.writeString(partial, """
            #!/bin/sh
            # libvirt's hook for machines with Fairlead's devices, written by: fairlead libvirt hook --install
            [ "$2" = prepare ] || exit 0
            domain=$(cat)
            case $domain in *urn:fairlead:domain:1*) ;; *) exit 0 ;; esac
            printf '%%s\\n' "$domain" | '%s' libvirt hook --connect '%s' "$@"
            """.formatted(words, daemon));
            Files.setPosixFilePermissions(partial, PosixFilePermissions.fromString("rwxr-xr-x"));
            return Files.move(partial, script, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    /**
     * Answers libvirt.
     *
     * @param operation as {@code prepare}; others need nothing
     * @param document gives the machine's
     * @param daemon asked for what it says of its devices, for machines alone that have some
     * @throws IOException where the machine cannot start; libvirt shows the message
     */
    public static void run(String domain, String operation, InputStream document, Supplier<DaemonInventory> daemon)
            throws IOException {
        if (!operation.equals(PREPARE)) {
            return;
        }
        byte[] bytes = document.readNBytes(XmlParser.MAX_BYTES + 1);
        try {
            List<LoweredDevice> served = LoweredDevice.in(bytes).stream()
                    .filter(device -> !device.socket().isEmpty())
                    .toList();
            DaemonInventory known = served.isEmpty() ? DaemonInventory.NONE : daemon.get();
            for (LoweredDevice device : served) {
                check(domain, device, known);
            }
        } catch (XmlException e) {
            throw new IOException(
                    "machine %s: its document cannot be read: line %d: %s".formatted(domain, e.line(), e.getMessage()),
                    e);
        }
    }

    private static void check(String domain, LoweredDevice device, DaemonInventory known) throws IOException {
        try {
            known.check(device.socket());
            SocketProbe.check(Path.of(device.socket()), TIMEOUT);
        } catch (IOException e) {
            throw new IOException(
                    "machine %s: device %s (%s): %s".formatted(domain, device.name(), device.alias(), e.getMessage()),
                    e);
        }
    }
}
