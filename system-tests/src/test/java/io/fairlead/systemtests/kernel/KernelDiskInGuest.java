package io.fairlead.systemtests.kernel;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.linux.Self;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.virtio.DeviceId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;

/**
 * Runs in an L1 host: presents a disk of the kernel by Fairlead's front-end to a guest under KVM ("L2"), which writes it and
 * reads it back. Prints what the guest found, how many requests this process moved, and its processor time meanwhile.
 */
public final class KernelDiskInGuest {
    private static final Duration PATIENCE = Duration.ofMinutes(3);

    private static final String JOB = """
            dd if=/dev/urandom of=/tmp/data bs=1M count=8 2>/dev/null
            sum=$(sha256sum </tmp/data)
            wrong=0
            requests=$(awk '{ print $1 + $5 }' /sys/block/vda/stat)
            emit '{"io":"begins"}'
            for round in 1 2 3; do
                dd if=/tmp/data of=/dev/vda bs=64k oflag=direct 2>/dev/null || wrong=$((wrong + 1))
                [ "$(dd if=/dev/vda bs=64k count=128 iflag=direct 2>/dev/null | sha256sum)" = "$sum" ] || wrong=$((wrong + 1))
            done
            requests=$(($(awk '{ print $1 + $5 }' /sys/block/vda/stat) - requests))
            emit "{\\"io\\":\\"ended\\",\\"wrong\\":$wrong,\\"requests\\":$requests}"
            """;

    private KernelDiskInGuest() {}

    /** @param arguments the device's file */
    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createTempDirectory("kernel-disk");
        Path socket = folder.resolve("disk.sock");
        try (Testbed outer = Testbed.open(Progress.toStandardError());
                Testbed testbed = outer.forL2Guests();
                ServedDevices served = new ServedDevices(1)) {
            VdpaDevice device = served.add("disk0", DeviceId.BLOCK, socket, Map.of("vhost-vdpa", arguments[0]))
                    .device();
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("l2")
                    .memoryMib(256)
                    .kernelArguments("pci=lastbus=0")
                    .bootTimeout(PATIENCE)
                    .device(VhostUserDevice.blk("disk0", socket));
            try (Guest guest = testbed.start(spec)) {
                JsonNode _ = guest.awaitLine(at("begins"), PATIENCE);
                long before = Self.processCpuNanos();
                JsonNode end = guest.awaitLine(at("ended"), PATIENCE);
                long used = Self.processCpuNanos() - before;
                System.out.printf(
                        "GUEST wrong %d, requests %d, of which this process moved %d; its processor time %d ms%n",
                        end.path("wrong").asInt(-1),
                        end.path("requests").asInt(),
                        ((RelayDevice) device).relayStatistics().total().requests(),
                        used / 1_000_000);
            }
        }
    }

    private static Predicate<JsonNode> at(String word) {
        return line -> line.path("io").asString("").equals(word);
    }
}
