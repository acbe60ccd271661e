package io.fairlead.node.tls;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.regex.Pattern;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * A small authority in a folder ({@code ca-cert.pem}, {@code ca-key.pem}) that gives each host a folder with the files
 * that both QEMU's {@code tls-creds-x509} and a node expect. Keys are on P-256, signatures ECDSA with SHA-256. The
 * authority's key is needed only to make certificates: it does not go to the hosts.
 */
public final class CertificateAuthority {
    private static final Pattern DNS_NAME = Pattern.compile("[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?");
    private static final Pattern ADDRESS = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*");
    /** Clocks of hosts differ a little. */
    private static final Duration BACKDATED = Duration.ofMinutes(10);

    private static final int SERIAL_BITS = 120;

    private final Path folder;
    private final X509Certificate certificate;
    private final PrivateKey key;
    private final SecureRandom random = new SecureRandom();

    private CertificateAuthority(Path folder, X509Certificate certificate, PrivateKey key) {
        this.folder = folder;
        this.certificate = certificate;
        this.key = key;
    }

    /**
     * Opens the authority of a folder, or makes one there.
     *
     * @param validity of a new one, from now on
     */
    public static CertificateAuthority openOrCreate(Path folder, Duration validity) throws IOException {
        Path certificateFile = folder.resolve(NodeCertificates.CA_CERTIFICATE);
        Path keyFile = folder.resolve("ca-key.pem");
        if (Files.exists(certificateFile) || Files.exists(keyFile)) {
            X509Certificate certificate = PemFiles.certificates(certificateFile).getFirst();
            return new CertificateAuthority(
                    folder,
                    certificate,
                    PemFiles.key(keyFile, certificate.getPublicKey().getAlgorithm()));
        }
        Files.createDirectories(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        try {
            SecureRandom random = new SecureRandom();
            KeyPair pair = newKeyPair();
            X500Name name = name("Fairlead CA " + Long.toHexString(random.nextLong()));
            X509v3CertificateBuilder builder = builder(name, name, pair, validity, random);
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            X509Certificate certificate = sign(builder, pair.getPrivate());
            PemFiles.write(keyFile, "PRIVATE KEY", pair.getPrivate().getEncoded(), true);
            PemFiles.write(certificateFile, "CERTIFICATE", certificate.getEncoded(), false);
            return new CertificateAuthority(folder, certificate, pair.getPrivate());
        } catch (GeneralSecurityException e) {
            throw new IOException("the authority in " + folder + " was not made: " + e.getMessage(), e);
        }
    }

    /**
     * Makes a host's folder below the authority's.
     *
     * @param names names and addresses by which other hosts reach it, the first of which names the folder
     * @return the folder, to be copied to the host
     * @throws IllegalArgumentException where a name is neither a DNS name nor an address
     */
    public Path createHost(List<String> names, Duration validity) throws IOException {
        if (names.isEmpty()) {
            throw new IllegalArgumentException("a host needs a name");
        }
        for (String name : names) {
            if (!DNS_NAME.matcher(name).matches() && !ADDRESS.matcher(name).matches()) {
                throw new IllegalArgumentException("'" + name + "' is neither a host name nor an address");
            }
        }
        Path host = folder.resolve(names.getFirst());
        Files.createDirectories(
                host, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        try {
            PemFiles.write(
                    host.resolve(NodeCertificates.CA_CERTIFICATE), "CERTIFICATE", certificate.getEncoded(), false);
            issue(host, "server", names, validity, KeyPurposeId.id_kp_serverAuth);
            issue(host, "client", names, validity, KeyPurposeId.id_kp_clientAuth);
        } catch (GeneralSecurityException e) {
            throw new IOException("the certificates of " + names.getFirst() + " were not made: " + e.getMessage(), e);
        }
        return host;
    }

    private void issue(Path host, String role, List<String> names, Duration validity, KeyPurposeId purpose)
            throws IOException, GeneralSecurityException {
        KeyPair pair = newKeyPair();
        X509v3CertificateBuilder builder = builder(
                X500Name.getInstance(certificate.getSubjectX500Principal().getEncoded()),
                name(names.getFirst()),
                pair,
                validity,
                random);
        JcaX509ExtensionUtils extensions = new JcaX509ExtensionUtils();
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
        // Not critical: QEMU 10.0 takes a critical one only with keyEncipherment, which keys of elliptic curves must
        // not
        // have (RFC 8813, section 3).
        builder.addExtension(Extension.keyUsage, false, new KeyUsage(KeyUsage.digitalSignature));
        builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purpose));
        builder.addExtension(
                Extension.authorityKeyIdentifier, false, extensions.createAuthorityKeyIdentifier(certificate));
        builder.addExtension(
                Extension.subjectAlternativeName,
                false,
                new GeneralNames(names.stream()
                        .map(name -> new GeneralName(
                                ADDRESS.matcher(name).matches() ? GeneralName.iPAddress : GeneralName.dNSName, name))
                        .toArray(GeneralName[]::new)));
        PemFiles.write(
                host.resolve(role + "-key.pem"),
                "PRIVATE KEY",
                pair.getPrivate().getEncoded(),
                true);
        PemFiles.write(
                host.resolve(role + "-cert.pem"),
                "CERTIFICATE",
                sign(builder, key).getEncoded(),
                false);
    }

    private static X509v3CertificateBuilder builder(
            X500Name issuer, X500Name subject, KeyPair pair, Duration validity, SecureRandom random)
            throws IOException, GeneralSecurityException {
        Instant now = Instant.now();
        X509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
                issuer,
                new BigInteger(SERIAL_BITS, random).setBit(SERIAL_BITS),
                Date.from(now.minus(BACKDATED)),
                Date.from(now.plus(validity)),
                subject,
                pair.getPublic());
        builder.addExtension(
                Extension.subjectKeyIdentifier,
                false,
                new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
        return builder;
    }

    private static X509Certificate sign(X509v3CertificateBuilder builder, PrivateKey key)
            throws GeneralSecurityException, IOException {
        try {
            return new JcaX509CertificateConverter()
                    .getCertificate(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key)));
        } catch (OperatorCreationException e) {
            throw new IOException("the authority's key cannot sign: " + e.getMessage(), e);
        }
    }

    private static X500Name name(String commonName) {
        // The field is bounded by X.520; the names that count are the alternative ones.
        String bounded = commonName.length() <= 64 ? commonName : commonName.substring(0, 64);
        return new X500NameBuilder().addRDN(BCStyle.CN, bounded).build();
    }

    private static KeyPair newKeyPair() throws GeneralSecurityException {
        // The JDK's own encoding leaves out the public key, without which GnuTLS takes no key on a curve.
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", new BouncyCastleProvider());
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        return generator.generateKeyPair();
    }
}
