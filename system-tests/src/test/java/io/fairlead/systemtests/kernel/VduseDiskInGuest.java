package io.fairlead.systemtests.kernel;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Predicate;
import tools.jackson.databind.JsonNode;

/**
 * Runs in an L1 host: takes a disk at /dev/vhost-vdpa-N, which another process serves by VDUSE, by a driver of our own, and
 * gives it to guests under KVM ("L2"), by Fairlead's front-end and then directly. The first guest is at it until a file
 * {@code served-again} is there: meanwhile the serving process may be killed and started again.
 */
public final class VduseDiskInGuest {
    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final Path SERVED_AGAIN = Path.of("served-again");

    /** The last round is after the word to stop. */
    private static final String JOB = """
            dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
            round() {
                dd if=/tmp/data of=/dev/vda bs=64k oflag=direct 2>/dev/null || echo "write failed" >>/tmp/wrong
                dd if=/dev/vda of=/tmp/read bs=64k count=64 iflag=direct 2>/dev/null || echo "read failed" >>/tmp/wrong
                cmp /tmp/data /tmp/read >>/tmp/wrong 2>&1
                rounds=$((rounds + 1))
            }
            rounds=0
            round
            emit '{"at":"busy"}'
            (receive >/tmp/word; touch /tmp/stop) &
            while [ ! -e /tmp/stop ]; do round; done
            round
            wrong=$(head -c 100 /tmp/wrong | tr -d '\\n"')
            sum=$(sha256sum </tmp/data | cut -d' ' -f1)
            errors=$(dmesg | grep -cE 'I/O error|blocked for more|BUG:|WARNING:|Oops')
            emit "{\\"at\\":\\"end\\",\\"rounds\\":$rounds,\\"sum\\":\\"$sum\\",\\"wrong\\":\\"$wrong\\",\\"errors\\":$errors}"
            """;

    private VduseDiskInGuest() {}

    /** @param arguments the device's file */
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        KernelDeviceExercise.main(new String[] {"all"});
        try (Testbed outer = Testbed.open(Progress.toStandardError());
                Testbed testbed = outer.forL2Guests()) {
            try (ServedDevices served = new ServedDevices(1)) {
                Path socket = Files.createTempDirectory("managed").resolve("disk.sock");
                var _ = served.add("disk0", DeviceId.BLOCK, socket, Map.of("vhost-vdpa", file.toString()));
                run(testbed, "managed", spec().device(VhostUserDevice.blk("disk0", socket)), true);
            }
            run(
                    testbed,
                    "direct",
                    spec().customize(machine -> machine.directVdpa(DirectVdpaDevice.of("disk0", file))),
                    false);
        }
    }

    private static GuestSpec spec() {
        return GuestSpec.job(JOB)
                .name("l2")
                .memoryMib(192)
                .kernelArguments("pci=lastbus=0")
                .bootTimeout(PATIENCE);
    }

    private static void run(Testbed testbed, String way, GuestSpec spec, boolean waits) throws Exception {
        try (Guest guest = testbed.start(spec)) {
            JsonNode _ = guest.awaitLine(at("busy"), PATIENCE);
            say("BUSY " + way);
            for (long end = System.nanoTime() + PATIENCE.toNanos(); waits && !Files.exists(SERVED_AGAIN); ) {
                if (System.nanoTime() - end > 0) {
                    throw new IOException("nobody said that the device is served again");
                }
                Thread.sleep(50);
            }
            guest.send("stop");
            JsonNode end = guest.awaitLine(at("end"), PATIENCE);
            if (!end.path("wrong").asString("?").isEmpty() || end.path("errors").asInt(-1) != 0) {
                throw new IOException("the guest found something wrong: " + end);
            }
            say("GUEST %s: %d rounds, sum %s"
                    .formatted(way, end.path("rounds").asInt(0), end.path("sum").asString("")));
        }
    }

    private static void say(String text) {
        System.out.println(text);
        System.out.flush();
    }

    private static Predicate<JsonNode> at(String where) {
        return line -> line.path("at").asString("").equals(where);
    }
}
