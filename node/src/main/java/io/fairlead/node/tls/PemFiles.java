package io.fairlead.node.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and keys as PEM files (RFC 7468). Every error names the file. */
final class PemFiles {
    /** A file of certificates is a few KiB; a longer one is something else. */
    private static final long MAX_BYTES = 1 << 20;

    private static final Pattern KEY =
            Pattern.compile("-----BEGIN PRIVATE KEY-----\\s+([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");

    private PemFiles() {}

    /** Reads all certificates of a file, at least one. */
    static List<X509Certificate> certificates(Path file) throws IOException {
        try {
            List<X509Certificate> found =
                    CertificateFactory.getInstance("X.509")
                            .generateCertificates(new ByteArrayInputStream(read(file)))
                            .stream()
                            .map(X509Certificate.class::cast)
                            .toList();
            if (found.isEmpty()) {
                throw new IOException(file + " holds no certificate in PEM");
            }
            return found;
        } catch (GeneralSecurityException e) {
            throw new IOException(file + " holds no certificate in PEM: " + e.getMessage(), e);
        }
    }

    /** Reads a private key in PKCS #8, of an algorithm that its certificate names. */
    static PrivateKey key(Path file, String algorithm) throws IOException {
        Matcher matcher = KEY.matcher(new String(read(file), StandardCharsets.US_ASCII));
        if (!matcher.find()) {
            throw new IOException(file + " holds no private key in PEM, PKCS #8 (BEGIN PRIVATE KEY)");
        }
        try {
            byte[] encoded = Base64.getMimeDecoder().decode(matcher.group(1));
            return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw new IOException(file + " holds no private key of the kind of its certificate: " + e.getMessage(), e);
        }
    }

    /**
     * Writes a new file.
     *
     * @param isSecret whether only the owner may read it
     * @throws IOException where the file exists: a key is never written over
     */
    static void write(Path file, String label, byte[] der, boolean isSecret) throws IOException {
        String text = "-----BEGIN %s-----%n%s%n-----END %s-----%n"
                .formatted(label, Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der), label);
        try {
            Files.createFile(
                    file,
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString(isSecret ? "rw-------" : "rw-r--r--")));
        } catch (FileAlreadyExistsException e) {
            throw new IOException(file + " exists already: choose another folder or take that file away", e);
        }
        Files.writeString(file, text, StandardCharsets.US_ASCII, StandardOpenOption.WRITE);
    }

    private static byte[] read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException(file
                    + " is missing: make certificates by 'fairlead certificates create' and copy them to the host");
        }
        if (Files.size(file) > MAX_BYTES) {
            throw new IOException(file + " is no PEM file: it has more than " + MAX_BYTES + " bytes");
        }
        return Files.readAllBytes(file);
    }
}
