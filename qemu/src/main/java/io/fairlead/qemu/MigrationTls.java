package io.fairlead.qemu;

import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Certificates for a migration's stream, as QEMU's {@code tls-creds-x509} finds them: both ends check each other against
 * the authority.
 *
 * @param directory has {@code ca-cert.pem} and, at the destination, {@code server-cert.pem} and {@code server-key.pem},
 *     at the source {@code client-cert.pem} and {@code client-key.pem}; absolute, readable by QEMU
 * @param expectedName at the source: the name that the destination's certificate has to carry; null for the host of the
 *     address
 */
public record MigrationTls(Path directory, @Nullable String expectedName) {
    /** Certificates whose name is checked against the address. */
    public static MigrationTls of(Path directory) {
        return new MigrationTls(directory.toAbsolutePath(), null);
    }

    /** The same for a destination whose certificate has another name than its address. */
    public MigrationTls withExpectedName(String name) {
        return new MigrationTls(directory, name);
    }

    Optional<String> expected() {
        return Optional.ofNullable(expectedName);
    }
}
