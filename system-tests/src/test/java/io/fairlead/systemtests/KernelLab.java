package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import io.fairlead.testbed.L1Spec;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * An L1 host with disks of several vendors that store the same: PCI functions over one file of this machine, for vp_vdpa and
 * for the host's own driver; and devices of the simulator over one memory, one of them the host's own.
 */
final class KernelLab implements AutoCloseable {
    /** Of the first of two functions over the file that are for vp_vdpa. */
    static final int FILE_SLOT = 0x10;

    /** Of the function over the file that the host's own driver has. */
    static final int LOCAL_SLOT = 0x12;

    /** As the simulator has it. */
    private static final long DISK_BYTES = 128 << 20;

    private static final Duration PATIENCE = Duration.ofMinutes(20);

    private static final String PREPARE = """
            set -e
            modprobe kvm_amd 2>/dev/null || modprobe kvm_intel
            modprobe -a virtio_blk virtio_vdpa
            modprobe vdpa_sim_blk shared_backend=1
            vdpa dev add name local mgmtdev vdpasim_blk
            modprobe -a vhost_vdpa vduse vp_vdpa
            ls /sys/bus/vdpa/devices/local/virtio*/block /sys/bus/pci/devices/0000:00:12.0/virtio*/block
            echo 'fairlead: prepared' >/dev/kmsg""";

    private final L1Host host;

    private KernelLab(L1Host host) {
        this.host = host;
    }

    /** @param folder for the file, which has to be there as long as the host */
    static KernelLab start(L1Lab lab, L1Kernel kernel, Path folder) throws IOException, InterruptedException {
        L1Lab.assumeL2();
        // What is made only once is made here, not in the host's memory.
        Lab.TESTBED.forL2Guests().close();
        Path file = folder.resolve("outer.img");
        try (RandomAccessFile image = new RandomAccessFile(file.toFile(), "rw")) {
            image.setLength(DISK_BYTES);
        }
        L1Spec spec = L1Spec.of(kernel)
                .name("kernel-disks-" + kernel)
                .iommu()
                .arguments("-blockdev", "driver=file,node-name=file,locking=off,filename=" + file)
                .arguments("-blockdev", "driver=raw,node-name=disk,file=file");
        for (int i = 0; i < 2; i++) {
            spec.vdpaParent("virtio-blk-pci,drive=disk,share-rw=on,num-queues=1,queue-size=128,addr=0x%x"
                    .formatted(FILE_SLOT + i));
        }
        spec.arguments("-device", "virtio-blk-pci,drive=disk,share-rw=on,addr=0x%x".formatted(LOCAL_SLOT));
        L1Host host = lab.own(spec, kernel);
        boolean ready = false;
        try {
            L1Lab.writeProgram(host, "moves", KernelMoves.class.getName());
            String _ = host.run(PREPARE, Lab.PATIENCE);
            ready = true;
            return new KernelLab(host);
        } finally {
            if (!ready) {
                host.close();
            }
        }
    }

    /**
     * Runs {@link KernelMoves}.
     *
     * @param what its first argument
     * @param pairs the others
     * @return what it printed
     */
    String moves(String what, List<String> pairs) throws IOException, InterruptedException {
        String seen = host.run("moves " + what + " " + String.join(" ", pairs), PATIENCE);
        Lab.report("%s", seen);
        assertThat(seen).endsWith("DONE\n");
        return seen;
    }

    /** What the kernel complained of, since it was prepared: the firmware leaves disks that the IOMMU stops. */
    String complaints() throws IOException, InterruptedException {
        return host.run(
                "dmesg | sed '1,/fairlead: prepared/d' | grep -E 'BUG:|Oops|DMAR.*fault|I/O error' || true",
                Lab.PATIENCE);
    }

    @Override
    public void close() throws IOException {
        host.close();
    }
}
