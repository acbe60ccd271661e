package io.fairlead.systemtests.kernel;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import io.fairlead.virtio.BlkConfig;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;

/**
 * Runs in an L1 host: a guest under KVM ("L2") uses two disks of the host's kernel, which are deleted under it. In the place
 * of one, software goes on with the same volume; the other's requests fail. Arguments: the first disk's file and vDPA name,
 * the volume as a block device of the host, the second disk's file and name. Prints what the guest reports.
 */
public final class LossUnderGuest {
    private static final Duration PATIENCE = Duration.ofMinutes(4);

    /** Writes and compares the first disk all the time, and goes on until the second one fails. */
    private static final String JOB = """
            wrong=none
            round=0
            check() {
                dd if=/dev/urandom of=/run/data bs=64k count=16 2>/dev/null
                dd if=/run/data of=/dev/vda bs=16k oflag=direct 2>/dev/null || wrong=write
                dd if=/dev/vda bs=16k count=64 iflag=direct 2>/dev/null | cmp -s - /run/data || wrong=read
                round=$((round + 1))
            }
            check
            dd if=/dev/vdb of=/dev/null bs=16k count=64 iflag=direct 2>/dev/null || wrong=second
            emit '{"at":"io"}'
            while dd if=/dev/vdb of=/dev/null bs=16k count=4 iflag=direct 2>/dev/null; do check; done
            emit '{"at":"failed"}'
            for i in 1 2 3; do check; done
            dd if=/dev/zero of=/dev/vdb bs=16k count=1 oflag=direct 2>/dev/null && wrong=written
            emit "{\\"rounds\\":$round,\\"wrong\\":\\"$wrong\\"}"
            """;

    private LossUnderGuest() {}

    public static void main(String[] arguments) throws Exception {
        Path folder = Files.createTempDirectory("loss");
        try (Testbed outer = Testbed.open(Progress.toStandardError());
                Testbed testbed = outer.forL2Guests();
                ServedDevices served = new ServedDevices(1)) {
            Map<String, String> first = new LinkedHashMap<>();
            first.put("vhost-vdpa", arguments[0]);
            // Whose limits are beyond those of software.
            first.put("features", "0x%x".formatted(~(BlkConfig.F_DISCARD | BlkConfig.F_WRITE_ZEROES)));
            first.put("volume", "vol0");
            first.put("fallback", "software");
            first.put("fallback-path", arguments[2]);
            first.put("fallback-locked", "off");
            var _ = served.add("disk0", DeviceId.BLOCK, folder.resolve("0"), first);
            var _ = served.add("disk1", DeviceId.BLOCK, folder.resolve("1"), Map.of("vhost-vdpa", arguments[3]));
            GuestSpec spec = GuestSpec.job(JOB)
                    .name("l2")
                    .memoryMib(256)
                    .processors(1)
                    .bootTimeout(PATIENCE)
                    .kernelArguments("pci=lastbus=0")
                    .device(VhostUserDevice.blk("disk0", folder.resolve("0")).with("num-queues", 1))
                    .device(VhostUserDevice.blk("disk1", folder.resolve("1")).with("num-queues", 1));
            try (Guest guest = testbed.start(spec)) {
                JsonNode _ =
                        guest.awaitLine(line -> line.path("at").asString("").equals("io"), PATIENCE);
                delete(arguments[1]);
                delete(arguments[4]);
                GuestResult result = guest.awaitResult(PATIENCE);
                result.lines().forEach(System.out::println);
                System.out.println("status " + result.status());
            }
        }
    }

    private static void delete(String device) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Process process =
                new ProcessBuilder("vdpa", "dev", "del", device).inheritIO().start();
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroy();
            throw new IOException("vdpa dev del " + device + " did not come to its end");
        }
        System.out.printf("deleted %s in %d ms%n", device, (System.nanoTime() - start) / 1_000_000);
    }
}
