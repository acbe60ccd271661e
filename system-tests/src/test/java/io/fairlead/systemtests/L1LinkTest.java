package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Command;
import io.fairlead.testbed.L1Kernel;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Two hosts with different kernels reach each other by the cable between them. */
@Timeout(300)
class L1LinkTest {
    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @Test
    void hostsReachEachOther() throws IOException, InterruptedException {
        try (L1Pair hosts = L1Pair.start(L1, L1Kernel.V6_12, L1Kernel.V7_3)) {
            L1Command receiver = hosts.second().start("socat -u TCP-LISTEN:7000,reuseaddr CREATE:/tmp/file");
            String sent = hosts.first().run("""
                    bin/ping -q -c 5 -i 0.1 -W 10 192.168.76.2
                    dd if=/dev/urandom of=/tmp/file bs=1M count=8 2>/dev/null
                    socat -u FILE:/tmp/file TCP:192.168.76.2:7000,retry=50,interval=0.2
                    sha256sum /tmp/file""", Lab.PATIENCE);
            String _ = receiver.awaitSuccess(Lab.PATIENCE);
            assertThat(sent).contains("5 received");
            assertThat(hosts.second().run("sha256sum /tmp/file", Lab.PATIENCE))
                    .isEqualTo(sent.substring(sent.lastIndexOf('\n', sent.length() - 2) + 1));
        }
    }
}
