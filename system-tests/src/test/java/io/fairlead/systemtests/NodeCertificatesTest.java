package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.node.tls.CertificateAuthority;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Node processes that must not hear each other, each way. No machine is there: it never comes to that. */
@Timeout(600)
class NodeCertificatesTest {
    private static final Duration LONG = Duration.ofDays(2);
    private static final Pattern LISTENS = Pattern.compile("listening for nodes at (\\S+)");

    @TempDir
    Path folder;

    private CertificateAuthority ours;
    private CertificateAuthority theirs;
    private Node good;

    /** A node process, with what its owner sees. */
    private final class Node implements AutoCloseable {
        private final String name;
        private final ServeProcess process;

        Node(String name, Path certificates) throws IOException {
            this.name = name;
            process = ServeProcess.startCommand(List.of(), words(name, certificates));
        }

        String address() throws IOException, InterruptedException {
            long _ = process.awaitReady();
            Matcher found = LISTENS.matcher(process.output());
            assertThat(found.find()).as(process.output()).isTrue();
            return found.group(1);
        }

        /** Asks it to move its machine there; answers why not. */
        String refusal(Node to) throws Exception {
            long _ = process.awaitReady();
            TwoNodes.Ended ended = TwoNodes.command(
                            "migrate",
                            "vm0",
                            "--to",
                            to.address(),
                            "--control",
                            folder.resolve(name + ".ctl").toString(),
                            "--json")
                    .end();
            Lab.report("%s to %s: %s", name, to.name, ended.text());
            assertThat(ended.exitCode()).as(ended.text()).isOne();
            assertThat(ended.text()).doesNotContain("\"phase\":\"prepare\"");
            return ended.error();
        }

        /** Waits for what it says to its owner; whoever it refused may be told before that. */
        void awaitReport(String... parts) throws IOException, InterruptedException {
            long end = System.nanoTime() + Lab.PATIENCE.toNanos();
            while (!Stream.of(parts).allMatch(process.output()::contains) && System.nanoTime() < end) {
                Thread.sleep(10);
            }
            assertThat(process.output()).contains(parts);
        }

        /** It has begun no migration, in neither role. */
        void assertUntouched() throws IOException {
            Path journals = folder.resolve(name + ".state/migrations");
            if (Files.exists(journals)) {
                try (Stream<Path> files = Files.list(journals)) {
                    assertThat(files).isEmpty();
                }
            }
        }

        @Override
        public void close() {
            process.close();
        }
    }

    private List<String> words(String name, Path certificates) throws IOException {
        Path image = folder.resolve(name + ".img");
        if (!Files.exists(image)) {
            Files.write(image, new byte[1 << 20]);
        }
        return List.of(
                "node",
                "--name",
                name,
                "--state",
                folder.resolve(name + ".state").toString(),
                "--control",
                folder.resolve(name + ".ctl").toString(),
                "--listen",
                "localhost:0",
                "--certificates",
                certificates.toString(),
                "--device",
                "name=disk0,type=blk,socket=%s,path=%s".formatted(folder.resolve(name + ".sock"), image),
                "--machine",
                "name=vm0,qmp=%s,devices=disk0".formatted(folder.resolve(name + ".qmp")));
    }

    @BeforeEach
    void start() throws Exception {
        ours = CertificateAuthority.openOrCreate(folder.resolve("ours"), LONG);
        theirs = CertificateAuthority.openOrCreate(folder.resolve("theirs"), LONG);
        good = new Node("good", ours.createHost(List.of("localhost"), LONG));
    }

    @AfterEach
    void end() throws IOException {
        try {
            good.assertUntouched();
        } finally {
            good.close();
        }
    }

    @Test
    void anotherAuthorityIsRefusedByBothEnds() throws Exception {
        try (Node stranger = new Node("stranger", theirs.createHost(List.of("localhost"), LONG))) {
            for (String refusal : List.of(good.refusal(stranger), stranger.refusal(good))) {
                assertThat(refusal).contains("was issued by", "trusts only", "from one authority");
            }
            stranger.assertUntouched();
        }
    }

    /** It would speak with us. */
    @Test
    void aStrangerThatTrustsUsIsNotTrusted() throws Exception {
        Path host = theirs.createHost(List.of("localhost"), LONG);
        Path both = host.resolve("ca-cert.pem");
        Files.writeString(both, Files.readString(both) + Files.readString(folder.resolve("ours/ca-cert.pem")));
        try (Node stranger = new Node("stranger", host)) {
            assertThat(stranger.refusal(good)).contains("refused this node's certificate");
            good.awaitReport("a connection from", "was refused");
            assertThat(good.refusal(stranger)).contains("was issued by");
            stranger.assertUntouched();
        }
    }

    /** Whoever connects knows which host it wants. Who is connected to takes any host of its authority. */
    @Test
    void anotherHostIsRefused() throws Exception {
        try (Node other = new Node("other", ours.createHost(List.of("elsewhere.example"), LONG))) {
            assertThat(good.refusal(other)).contains("is for elsewhere.example and not for localhost");
            other.assertUntouched();
        }
    }

    @Test
    void anExpiredCertificateIsRefusedByBothEndsAndAtTheStart() throws Exception {
        Duration validity = Duration.ofSeconds(20);
        Path host = ours.createHost(List.of("127.0.0.1", "localhost"), validity);
        long expires = System.currentTimeMillis() + validity.toMillis() + 1500;
        try (Node brief = new Node("brief", host)) {
            String address = brief.address();
            assertThat(address).startsWith("localhost:");
            Thread.sleep(Math.max(0, expires - System.currentTimeMillis()));
            assertThat(brief.refusal(good)).contains("refused this node's certificate");
            good.awaitReport("was refused: the other node's certificate", "expired at");
            assertThat(good.refusal(brief)).contains("expired at", "fairlead certificates create");
            brief.assertUntouched();
        }
        TwoNodes.Ended again =
                TwoNodes.command(words("brief", host).toArray(String[]::new)).end();
        assertThat(again.exitCode()).isOne();
        assertThat(again.text()).contains("expired at", "fairlead certificates create");
    }
}
