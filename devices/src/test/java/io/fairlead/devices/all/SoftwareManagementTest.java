package io.fairlead.devices.all;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.vdpa.Registry;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.NetConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What another host may change of a device, and what not. */
class SoftwareManagementTest {
    @TempDir
    Path folder;

    private EventLoopGroup loops;
    private Registry registry;
    private SoftwareManagement management;

    @BeforeEach
    void open() throws IOException {
        loops = new EventLoopGroup(1);
        registry = new Registry();
        management = new SoftwareManagement("software", loops);
        registry.register(management);
    }

    @AfterEach
    void close() throws IOException {
        registry.close();
        loops.close();
    }

    private VdpaDevice add(String name, int type, Map<String, String> attributes) throws IOException {
        return registry.add("software", name, type, attributes);
    }

    private static long linkStatus(VdpaDevice nic) throws IOException {
        MemorySegment status = MemorySegment.ofArray(new byte[NetConfig.STATUS.byteCount()]);
        nic.readConfig(NetConfig.STATUS.offset(), status);
        return status.get(ValueLayout.JAVA_BYTE, 0);
    }

    @Test
    void whatNamesNothingOfAHostIsFollowed() throws IOException {
        VdpaDevice nic = add("nic", DeviceId.NET, Map.of("switch", "lan"));
        assertThat(linkStatus(nic)).isEqualTo(1);
        management.follow(nic, Map.of("link", "down", "rate-mbps", "10", "tap", "tap0"));
        assertThat(linkStatus(nic)).isZero();
        assertThatThrownBy(() -> management.follow(nic, Map.of("rate-mbps", "none of it")))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void pathsAreNot() throws IOException {
        Path unit = Files.write(folder.resolve("unit.img"), new byte[1 << 20]);
        Path other = Files.write(folder.resolve("other.img"), new byte[1 << 20]);
        VdpaDevice host = add("scsi", DeviceId.SCSI, Map.of("lun0", unit.toString()));
        Map<String, String> before = host.identity();
        management.follow(host, Map.of("lun1", other.toString(), "lun0", "none"));
        assertThat(host.identity()).isEqualTo(before);
    }
}
