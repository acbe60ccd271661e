package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.systemtests.kernel.EveryTypeInGuest;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Spec;
import io.fairlead.virtio.DeviceId;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest has a device of each type that the kernel makes of PCI functions (vp_vdpa): by Fairlead's front-end, then by QEMU's
 * own. Disks, network, random numbers and the console are used, and what went over them is compared.
 */
@Timeout(900)
class EveryTypeTest {
    private static final Duration PATIENCE = Duration.ofMinutes(6);
    private static final int FIRST_SLOT = 0x10;

    /** Virtio ids and the outer QEMU's devices, in the order of their slots. vp_vdpa wants a vector for each queue. */
    private static final Map<Integer, String> PARENTS = new TreeMap<>(Map.of(
            DeviceId.NET, "virtio-net-pci,netdev=user,mac=52:54:00:00:00:01",
            DeviceId.BLOCK, "virtio-blk-pci,drive=blk",
            DeviceId.CONSOLE, "virtio-serial-pci,id=serial,max_ports=1,vectors=8",
            DeviceId.RNG, "virtio-rng-pci,rng=rng",
            DeviceId.BALLOON, "virtio-balloon-pci,vectors=8",
            DeviceId.SCSI, "virtio-scsi-pci,id=scsi,num_queues=1,vectors=8",
            DeviceId.GPU, "virtio-gpu-pci,vectors=8",
            DeviceId.INPUT, "virtio-keyboard-pci,vectors=8",
            DeviceId.CRYPTO, "virtio-crypto-pci,cryptodev=crypto,vectors=8"));

    private static final String STEPS = "blk,scsi,net,rng,console";

    private static final String PREPARE = """
            set -e
            modprobe -a vhost_vdpa vp_vdpa
            modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
            for type in $types; do
                function=0000:00:$(printf %02x $slot).0
                echo $function >/sys/bus/pci/devices/$function/driver/unbind
                echo vp-vdpa >/sys/bus/pci/devices/$function/driver_override
                echo $function >/sys/bus/pci/drivers_probe
                vdpa dev add name type$type mgmtdev pci/$function
                slot=$((slot + 1))
            done
            """;

    /** "Invalid virtio device(id 16)", and QEMU ends: its generic vDPA device knows neither GPUs nor input devices. */
    private static final Set<Integer> NOT_DIRECT = Set.of(DeviceId.GPU, DeviceId.INPUT);

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @Test
    void isForAGuest(@TempDir Path folder) throws Exception {
        run(L1Kernel.V6_12, folder);
    }

    @Test
    @Tag("long")
    void isForAGuestOnTheNewerKernel(@TempDir Path folder) throws Exception {
        run(L1Kernel.V7_3, folder);
    }

    private static void run(L1Kernel kernel, Path folder) throws Exception {
        L1Lab.assumeL2();
        // What is made only once is made here, not in the host's memory.
        Lab.TESTBED.forL2Guests().close();
        Path blk = image(folder.resolve("blk.img"));
        Path scsi = image(folder.resolve("scsi.img"));
        Path console = folder.resolve("console");
        L1Spec spec = L1Spec.of(kernel)
                .name("every-type-" + kernel)
                .iommu()
                .arguments("-blockdev", "driver=file,node-name=blk,filename=" + blk)
                .arguments("-blockdev", "driver=file,node-name=scsi,filename=" + scsi)
                .arguments("-netdev", "user,id=user,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat")
                .arguments("-chardev", "file,id=console,path=" + console)
                .arguments("-object", "rng-random,id=rng,filename=" + entropy(folder))
                .arguments("-object", "cryptodev-backend-builtin,id=crypto");
        int slot = FIRST_SLOT;
        for (String parent : PARENTS.values()) {
            spec.vdpaParent("%s,addr=0x%x".formatted(parent, slot++));
        }
        spec.arguments("-device", "scsi-hd,bus=scsi.0,drive=scsi")
                .arguments("-device", "virtconsole,bus=serial.0,chardev=console");
        try (L1Host host = L1.own(spec, kernel)) {
            L1Lab.writeProgram(host, "every-type", EveryTypeInGuest.class.getName());
            String _ = host.run(
                    "slot=%d types='%s'%n".formatted(FIRST_SLOT, words(PARENTS.keySet())) + PREPARE, Lab.PATIENCE);
            Set<Integer> direct = new TreeSet<>(PARENTS.keySet());
            direct.removeAll(NOT_DIRECT);
            check(host, "managed", PARENTS.keySet(), List.of(blk, scsi));
            check(host, "direct", direct, List.of(blk, scsi));
            assertThat(Files.readString(console)).hasLineCount(2).contains("written to the console");
        }
    }

    private static void check(L1Host host, String way, Set<Integer> types, List<Path> images) throws Exception {
        StringBuilder command = new StringBuilder("ulimit -l unlimited; every-type ")
                .append(way)
                .append(' ')
                .append(STEPS);
        types.forEach(type ->
                command.append(" %d=/dev/$(basename /sys/bus/vdpa/devices/type%d/vhost-vdpa-*)".formatted(type, type)));
        String seen = host.run(command.toString(), PATIENCE);
        Lab.report("%s", seen);
        assertThat(seen)
                .contains("\"drivers\":\"" + words(types) + " \"")
                .contains("\"complaints\":\"\"")
                .contains("ENDED 0, requests that this process moved: 0");
        for (String step : STEPS.split(",", -1)) {
            assertThat(seen).contains("\"step\":\"" + step + "\",\"status\":0,");
        }
        Matcher sum =
                Pattern.compile("\"step\":\"blk\".*\"sum\":\"([0-9a-f]{64})\"").matcher(seen);
        assertThat(sum.find()).isTrue();
        for (Path image : images) {
            byte[] written;
            try (InputStream in = Files.newInputStream(image)) {
                written = in.readNBytes(1 << 20);
            }
            assertThat(RootImage.sha256(written))
                    .as("what the outer host's %s has", image)
                    .isEqualTo(sum.group(1));
        }
    }

    private static String words(Set<Integer> types) {
        return types.stream().sorted().map(String::valueOf).collect(Collectors.joining(" "));
    }

    /** Not random at all, so that the guest can tell where it came from. */
    private static Path entropy(Path folder) throws IOException {
        return Files.writeString(folder.resolve("entropy"), "fairlead".repeat(1 << 17));
    }

    private static Path image(Path file) throws IOException {
        try (RandomAccessFile image = new RandomAccessFile(file.toFile(), "rw")) {
            image.setLength(16 << 20);
        }
        return file;
    }
}
