package io.fairlead.vhostuser.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.VdpaDevice.Capability;
import io.fairlead.vdpa.VdpaDevice.StopMode;
import io.fairlead.vhostuser.protocol.ProtocolFeature;
import io.fairlead.vhostuser.protocol.Request;
import io.fairlead.virtio.DriverQueue;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.QueueState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How rings stop where the client said that it keeps what is in flight, and where it did not. */
@Timeout(120)
class FreezeTest {
    private static final long FEATURES = ServedDisk.FEATURES;

    @TempDir
    Path folder;

    /** A disk that says what it can, and notes how it was told to stop and when a ring was. */
    private static VdpaDevice noting(VdpaDevice device, Set<Capability> capabilities, List<String> notes) {
        return AlteredDevice.of(
                device,
                Map.of(
                        "capabilities",
                        _ -> capabilities,
                        "stopMode",
                        arguments -> {
                            notes.add(String.valueOf(arguments == null ? null : arguments[0]));
                            return null;
                        },
                        "queueReady",
                        arguments -> {
                            if (arguments != null && arguments.length == 2) {
                                notes.add("ready " + arguments[1]);
                                device.queueReady((int) arguments[0], (boolean) arguments[1]);
                                return null;
                            }
                            return device.queueReady((int) arguments[0]);
                        }));
    }

    private static void negotiate(TestClient client, long protocolFeatures) throws Exception {
        client.negotiate(FEATURES);
        assertThat(client.acknowledged(Request.SET_PROTOCOL_FEATURES, TestClient.u64(protocolFeatures)))
                .isZero();
    }

    @Test
    void ringsFreezeWhereTheClientKeepsWhatIsInFlight() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            List<String> notes = new CopyOnWriteArrayList<>();
            Path socket = folder.resolve("freezing.sock");
            VhostUserEndpoint _ =
                    disks.server.serve(noting(disks.unserved(), EnumSet.allOf(Capability.class), notes), socket);
            try (TestClient client = new TestClient(socket)) {
                long offered = client.askU64(Request.GET_PROTOCOL_FEATURES);
                assertThat(Feature.has(offered, ProtocolFeature.GET_VRING_BASE_INFLIGHT))
                        .isTrue();
                negotiate(client, offered);
                DriverQueue queue = client.start(16, FEATURES, QueueState.initial(false));
                disks.checkRead(client, queue, 1);
                assertThat(client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0)))
                        .hasSize(8);
                assertThat(notes).containsExactly("ready true", StopMode.FREEZE.name(), "ready false");
                notes.clear();
                // QEMU disables a ring before it asks where the ring stands.
                DriverQueue again = client.start(16, FEATURES, queue.state());
                disks.checkRead(client, again, 2);
                assertThat(client.acknowledged(Request.SET_VRING_ENABLE, TestClient.state(0, 0)))
                        .isZero();
                assertThat(notes).containsExactly("ready true", StopMode.FREEZE.name(), "ready false");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatIsInFlightHasEndedOnThisHostBeforeTheClientHandsItOn(boolean well) throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            CompletableFuture<Void> settled = new CompletableFuture<>();
            CountDownLatch asked = new CountDownLatch(1);
            VdpaDevice slow = AlteredDevice.of(
                    noting(disks.unserved(), EnumSet.allOf(Capability.class), new CopyOnWriteArrayList<>()),
                    Map.of("settled", _ -> {
                        asked.countDown();
                        return settled.minimalCompletionStage();
                    }));
            Path socket = folder.resolve("slow.sock");
            VhostUserEndpoint endpoint = disks.server.serve(slow, socket);
            try (TestClient client = new TestClient(socket)) {
                negotiate(client, client.askU64(Request.GET_PROTOCOL_FEATURES));
                disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 1);
                client.send(Request.GET_VRING_BASE, 0, TestClient.state(0, 0));
                asked.await();
                if (well) {
                    settled.complete(null);
                    assertThat(client.receive()).hasSize(8);
                } else {
                    settled.completeExceptionally(new IOException("the disk hangs"));
                    assertThat(client.receive()).isNull();
                    ServedDisk.awaitFree(endpoint);
                    assertThat(endpoint.lastEnd()).contains("the disk hangs");
                }
            }
        }
    }

    @Test
    void otherwiseTheDevicesOwnerDecides() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            List<String> notes = new CopyOnWriteArrayList<>();
            Path socket = folder.resolve("plain.sock");
            VhostUserEndpoint _ =
                    disks.server.serve(noting(disks.unserved(), EnumSet.allOf(Capability.class), notes), socket);
            try (TestClient client = new TestClient(socket)) {
                long offered = client.askU64(Request.GET_PROTOCOL_FEATURES);
                negotiate(client, offered & ~ProtocolFeature.GET_VRING_BASE_INFLIGHT);
                disks.checkRead(client, client.start(16, FEATURES, QueueState.initial(false)), 1);
                assertThat(client.ask(Request.GET_VRING_BASE, TestClient.state(0, 0)))
                        .hasSize(8);
                assertThat(notes).containsExactly("ready true", "ready false");
            }
        }
    }

    @Test
    void itIsOfferedByDevicesThatCanAndGoesWithARegionAlone() throws Exception {
        try (ServedDisk disks = new ServedDisk(folder)) {
            for (Capability missing : List.of(Capability.FREEZE, Capability.INFLIGHT)) {
                Path socket = folder.resolve(missing + ".sock");
                Set<Capability> capabilities = EnumSet.complementOf(EnumSet.of(missing));
                VhostUserEndpoint _ = disks.server.serve(
                        noting(disks.unserved(), capabilities, new CopyOnWriteArrayList<>()), socket);
                try (TestClient client = new TestClient(socket)) {
                    long offered = client.askU64(Request.GET_PROTOCOL_FEATURES);
                    assertThat(offered & ProtocolFeature.GET_VRING_BASE_INFLIGHT)
                            .as("without %s", missing)
                            .isZero();
                }
            }
            Path socket = folder.resolve("all.sock");
            VhostUserEndpoint endpoint = disks.server.serve(
                    noting(disks.unserved(), EnumSet.allOf(Capability.class), new CopyOnWriteArrayList<>()), socket);
            try (TestClient client = new TestClient(socket)) {
                client.send(Request.SET_PROTOCOL_FEATURES, 0, TestClient.u64(ProtocolFeature.GET_VRING_BASE_INFLIGHT));
                assertThat(client.receive()).isNull();
            }
            ServedDisk.awaitFree(endpoint);
            assertThat(endpoint.lastEnd()).contains("without INFLIGHT_SHMFD");
        }
    }
}
