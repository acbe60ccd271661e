package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import io.fairlead.linux.Memfd;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.QueueState;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a client does against the protocol: its session ends with a reason, and nothing else is harmed. */
@Timeout(300)
class HostileClientTest {
    private static final long FEATURES = ServedDisk.FEATURES;
    private static final byte[] NONE = {};

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(Violation.class)
    void aViolationEndsTheSessionWithItsReasonAndHarmsNothingElse(Violation violation) throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient bystander = new TestClient(disks.otherEndpoint.path())) {
            bystander.negotiate(FEATURES);
            DriverQueue queue = bystander.start(16, FEATURES, QueueState.initial(false));
            try (TestClient client = disks.connect()) {
                client.negotiate(FEATURES);
                violation.deed.on(client);
                ServedDisk.awaitFree(disks.endpoint);
            }
            assertThat(disks.endpoint.lastEnd()).contains(violation.reason);
            disks.checkRead(bystander, queue, 11);
            // The device serves the next client as if nothing had been.
            try (TestClient next = disks.connect()) {
                next.negotiate(FEATURES);
                disks.checkRead(next, next.start(16, FEATURES, QueueState.initial(false)), 12);
            }
        }
    }

    @Test
    void messagesBeforeTheirFeatureIsNegotiatedAreRefused() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            for (Request request : List.of(
                    Request.GET_QUEUE_NUM, Request.GET_MAX_MEM_SLOTS, Request.RESET_DEVICE, Request.GET_STATUS)) {
                try (TestClient client = disks.connect()) {
                    client.send(request, 0, NONE);
                    assertThat(client.receive()).isNull();
                }
                ServedDisk.awaitFree(disks.endpoint);
                assertThat(disks.endpoint.lastEnd()).contains(request + " came without its protocol feature");
            }
        }
    }

    @Test
    void memoryThatShrinksIsRefusedOrContained() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder);
                TestClient client = disks.connect();
                Fd small = Memfd.create("small", 8192)) {
            client.negotiate(FEATURES);
            assertThat(client.acknowledged(Request.ADD_MEM_REG, TestClient.region(1L << 40, 8192, 0x1000, 0), small))
                    .isZero();
            assertThat(FileIo.ftruncate(small.raw(), 0)).isZero();
            disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 3);
        }
    }
}
