package io.fairlead.node.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CertificateAuthorityTest {
    private static final Duration LONG = Duration.ofDays(30);

    @Test
    void makesTheFilesThatQemuAndNodesExpect(@TempDir Path folder) throws Exception {
        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder.resolve("ca"), LONG);
        Path host = authority.createHost(List.of("a.example", "192.0.2.7", "2001:db8::1"), LONG);
        assertThat(host).isEqualTo(folder.resolve("ca/a.example"));
        for (String name : List.of("ca-cert", "server-cert", "server-key", "client-cert", "client-key")) {
            assertThat(host.resolve(name + ".pem")).exists();
        }
        for (String secret : List.of("ca/ca-key.pem", "ca/a.example/server-key.pem", "ca/a.example/client-key.pem")) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve(secret))))
                    .isEqualTo("rw-------");
        }
        X509Certificate ca = PemFiles.certificates(host.resolve("ca-cert.pem")).getFirst();
        // QEMU checks these of an authority and of both ends.
        assertThat(ca.getBasicConstraints()).isZero();
        assertThat(ca.getKeyUsage()[5]).isTrue();
        X509Certificate server =
                PemFiles.certificates(host.resolve("server-cert.pem")).getFirst();
        server.verify(ca.getPublicKey());
        assertThat(server.getBasicConstraints()).isEqualTo(-1);
        assertThat(server.getKeyUsage()[0]).isTrue();
        // QEMU 10.0 would want keyEncipherment, too, if it were critical.
        assertThat(server.getCriticalExtensionOIDs()).doesNotContain("2.5.29.15");
        assertThat(server.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.1");
        assertThat(server.getSubjectAlternativeNames().stream().map(name -> String.valueOf(name.get(1))))
                .containsExactly("a.example", "192.0.2.7", "2001:db8:0:0:0:0:0:1");
        X509Certificate client =
                PemFiles.certificates(host.resolve("client-cert.pem")).getFirst();
        assertThat(client.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.2");
        assertThat(NodeCertificates.load(host).folder()).isEqualTo(host);
    }

    @Test
    void theSameAuthorityServesHostsLater(@TempDir Path folder) throws Exception {
        Path a = CertificateAuthority.openOrCreate(folder, LONG).createHost(List.of("a"), LONG);
        Path b = CertificateAuthority.openOrCreate(folder, LONG).createHost(List.of("b"), LONG);
        assertThat(a.resolve("ca-cert.pem")).hasSameBinaryContentAs(b.resolve("ca-cert.pem"));
        assertThatThrownBy(() -> CertificateAuthority.openOrCreate(folder, LONG).createHost(List.of("a"), LONG))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("exists already");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a b", "../x", "/x", ".", "a\n", "-a"})
    void namesThatAreNoneAreRefused(String name, @TempDir Path folder) throws Exception {
        CertificateAuthority authority = CertificateAuthority.openOrCreate(folder, LONG);
        assertThatThrownBy(() -> authority.createHost(List.of(name), LONG))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("neither a host name nor an address");
    }

    @Test
    void filesOfTwoAuthoritiesAreNotMixed(@TempDir Path folder) throws Exception {
        Path a = CertificateAuthority.openOrCreate(folder.resolve("1"), LONG).createHost(List.of("a"), LONG);
        CertificateAuthority other = CertificateAuthority.openOrCreate(folder.resolve("2"), LONG);
        Path b = other.createHost(List.of("b"), LONG);
        Files.delete(a.resolve("ca-cert.pem"));
        Files.copy(b.resolve("ca-cert.pem"), a.resolve("ca-cert.pem"));
        assertThatThrownBy(() -> NodeCertificates.load(a))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is not from the authority");
    }

    @Test
    void missingAndBrokenFilesAreNamed(@TempDir Path folder) throws Exception {
        Path host = CertificateAuthority.openOrCreate(folder, LONG).createHost(List.of("a"), LONG);
        Files.writeString(host.resolve("client-key.pem"), "no key");
        assertThatThrownBy(() -> NodeCertificates.load(host))
                .hasMessageContaining("client-key.pem holds no private key");
        Files.writeString(host.resolve("server-cert.pem"), "no certificate");
        assertThatThrownBy(() -> NodeCertificates.load(host))
                .hasMessageContaining("server-cert.pem holds no certificate");
        Files.delete(host.resolve("ca-cert.pem"));
        assertThatThrownBy(() -> NodeCertificates.load(host))
                .hasMessageContaining("ca-cert.pem is missing")
                .hasMessageContaining("fairlead certificates create");
    }
}
