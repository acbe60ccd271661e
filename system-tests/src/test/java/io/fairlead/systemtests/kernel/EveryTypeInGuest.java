package io.fairlead.systemtests.kernel;

import io.fairlead.daemon.device.ServedDevices;
import io.fairlead.kernel.vhostvdpa.VhostVdpaManagement;
import io.fairlead.kernel.vhostvdpa.VhostVdpaSettings;
import io.fairlead.node.QemuModel;
import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Progress;
import io.fairlead.testbed.Testbed;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.relay.RelayDevice;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/**
 * Runs in an L1 host: gives devices of its kernel, each of another type, to one guest under KVM ("L2"), and prints what the
 * guest's drivers did with them, a line each.
 */
public final class EveryTypeInGuest {
    private static final Duration PATIENCE = Duration.ofMinutes(4);

    /** What reads and writes compares; a step that hangs is a step that failed. */
    private static final String JOB = """
            drivers=
            for device in /sys/bus/virtio/devices/*; do
                [ -e $device/driver ] && drivers="$drivers $(printf %d $(cat $device/device))"
            done
            emit "{\\"drivers\\":\\"$(echo $drivers | tr ' ' '\\n' | sort -n | tr '\\n' ' ')\\"}"
            dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
            sum=$(sha256sum </tmp/data | cut -d' ' -f1)
            step() {
                timeout -s KILL 40 sh -c ". /tmp/steps; $1" >/tmp/log 2>&1
                emit "{\\"step\\":\\"$1\\",\\"status\\":$?,\\"sum\\":\\"$sum\\",\\"said\\":\\"$(head -c 200 /tmp/log | tr -d '\\\\"' | tr '\\n' ' ')\\"}"
            }
            cat >/tmp/steps <<'END'
            disk() {
                dd if=/tmp/data of=$1 bs=64k oflag=direct && dd if=$1 of=/tmp/read bs=64k count=16 iflag=direct \\
                    && cmp /tmp/data /tmp/read
            }
            blk() { disk /dev/vda; }
            scsi() { disk /dev/sda; }
            net() {
                ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && nc 10.0.2.100 7 </tmp/data >/tmp/back \\
                    && cmp /tmp/data /tmp/back
            }
            rng() {
                cat /sys/class/misc/hw_random/rng_current | grep -q virtio || return 1
                dd if=/dev/hwrng of=/tmp/random bs=64 count=16 || return 2
                [ $(wc -c </tmp/random) -ge 512 ] || return 3
                [ "$(tr -d 'farled i' </tmp/random | wc -c)" = 0 ] && ! tr -d '\\0' </tmp/random | cmp -s - /dev/null
            }
            console() { echo "written to the console, $(sha256sum </tmp/data)" >/dev/hvc0; }
            END
            for what in $(receive); do step $what; done
            emit "{\\"complaints\\":\\"$(dmesg | grep -E 'I/O error|blocked for more|BUG:|WARNING:|Oops' | head -3 | tr -d '\\\\"' | tr '\\n' ' ')\\"}"
            """;

    /** Of QEMU's network cards; it is not among the queues that Fairlead's front-ends present. */
    private static final int NET_CONTROL_QUEUE_SIZE = 64;

    private EveryTypeInGuest() {}

    /** @param arguments {@code managed} or {@code direct}, the steps, then each device's virtio id and file: {@code 2=FILE} */
    public static void main(String[] arguments) throws Exception {
        GuestSpec spec = GuestSpec.job(JOB)
                .name("l2")
                .memoryMib(256)
                .kernelArguments("pci=lastbus=0")
                .bootTimeout(PATIENCE);
        try (Testbed outer = Testbed.open(Progress.toStandardError());
                Testbed testbed = outer.forL2Guests();
                ServedDevices served = new ServedDevices(1)) {
            List<RelayDevice> relays = new ArrayList<>();
            List<DirectVdpaDevice> direct = new ArrayList<>();
            for (String argument : List.of(arguments).subList(2, arguments.length)) {
                int type = Integer.parseInt(argument.substring(0, argument.indexOf('=')));
                Path file = Path.of(argument.substring(argument.indexOf('=') + 1));
                String id = "device" + type;
                if (arguments[0].equals("direct")) {
                    direct.add(DirectVdpaDevice.of(id, file).with("queue-size", smallestQueue(file)));
                } else {
                    Path socket = Files.createTempDirectory("managed").resolve("socket");
                    VdpaDevice device = served.add(id, type, socket, Map.of("vhost-vdpa", file.toString()))
                            .device();
                    spec.device(QemuModel.of(device, socket));
                    relays.add((RelayDevice) device);
                }
            }
            spec.customize(machine -> direct.forEach(machine::directVdpa));
            try (Guest guest = testbed.start(spec)) {
                JsonNode _ = guest.awaitLine(line -> line.has("drivers"), PATIENCE);
                guest.send(arguments[1].replace(',', ' '));
                GuestResult result = guest.awaitResult(PATIENCE);
                for (JsonNode line : result.lines()) {
                    System.out.println("GUEST " + line);
                }
                System.out.printf(
                        "ENDED %d, requests that this process moved: %d%n",
                        result.status(),
                        relays.stream()
                                .mapToLong(
                                        relay -> relay.relayStatistics().total().requests())
                                .sum());
            }
        }
    }

    /** QEMU believes the kernel, which says 256 of every queue of vp_vdpa's; QEMU's devices refuse rings larger than theirs. */
    private static String smallestQueue(Path file) throws IOException {
        try (VhostVdpaManagement kernel = new VhostVdpaManagement("probe");
                VdpaDevice device = kernel.open("probe", VhostVdpaSettings.of(file))) {
            int smallest = IntStream.range(0, device.queueCount())
                    .map(device::maxQueueSize)
                    .min()
                    .orElseThrow();
            return String.valueOf(
                    device.deviceId() == DeviceId.NET ? Math.min(smallest, NET_CONTROL_QUEUE_SIZE) : smallest);
        }
    }
}
