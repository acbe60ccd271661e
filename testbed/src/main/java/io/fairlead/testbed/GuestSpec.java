package io.fairlead.testbed;

import io.fairlead.qemu.MachineSpec;
import io.fairlead.qemu.VhostUserDevice;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A guest and the job that it runs. The job is a shell script (busybox, with fio, e2fsprogs and iproute2 where the guest
 * has a root disk). It reports by {@code emit '{"key":"value"}'}, waits for the host by {@code receive}, and its exit
 * status is the guest's result. Collect with {@link #job}; not for several threads.
 */
public final class GuestSpec {
    /** How the guest comes up. */
    public enum Boot {
        /** The kernel is given directly and the guest stays in its first file system: no disk is needed. */
        DISKLESS,
        /** The kernel is given directly, which takes bootindex 0; the root file system is on the disk labelled fairlead-root. */
        KERNEL,
        /** SeaBIOS boots from the disk with the lowest bootindex, 1 or above. */
        BIOS,
        /** OVMF boots from the disk with the lowest bootindex, 1 or above. */
        UEFI
    }

    final String job;
    QemuRelease release = QemuRelease.V11;
    Boot boot = Boot.DISKLESS;
    int memoryMib = 512;
    int processors = 1;
    String machineType = "q35";
    String name = "guest";
    String kernelArguments = "";
    boolean paused;
    boolean incoming;
    boolean nodeMonitor;
    int heartbeats;

    @Nullable
    Path workDirectory;

    Duration bootTimeout = Duration.ofMinutes(3);
    final List<VhostUserDevice> devices = new ArrayList<>();
    final List<String> arguments = new ArrayList<>();
    List<String> starter = List.of();

    @Nullable
    Consumer<MachineSpec.Builder> customizer;

    private GuestSpec(String job) {
        this.job = job;
    }

    /** A guest without a disk on the newer QEMU that runs a shell script. */
    public static GuestSpec job(String script) {
        return new GuestSpec(script);
    }

    public GuestSpec release(QemuRelease value) {
        this.release = value;
        return this;
    }

    public GuestSpec boot(Boot value) {
        this.boot = value;
        return this;
    }

    public GuestSpec memoryMib(int value) {
        this.memoryMib = value;
        return this;
    }

    public GuestSpec processors(int value) {
        this.processors = value;
        return this;
    }

    /** QEMU's machine type; a versioned one where the guest shall migrate between releases. */
    public GuestSpec machineType(String value) {
        this.machineType = value;
        return this;
    }

    /** Names the machine and its work folder. */
    public GuestSpec name(String value) {
        this.name = value;
        return this;
    }

    /** Further kernel arguments; not used where firmware boots. */
    public GuestSpec kernelArguments(String value) {
        this.kernelArguments = value;
        return this;
    }

    /** Where sockets and logs lie, a folder with a short path; else one is made, and deleted when the guest closes. */
    public GuestSpec workDirectory(Path value) {
        this.workDirectory = value;
        return this;
    }

    /** A vhost-user device. */
    public GuestSpec device(VhostUserDevice device) {
        devices.add(device);
        return this;
    }

    /**
     * An ordinary disk of QEMU itself, a virtio-blk device.
     *
     * @param bootIndex 1 or above, firmware boots from the lowest; 0 for a disk that it does not boot from
     */
    public GuestSpec disk(String id, Path image, int bootIndex) {
        String file = image.toString().replace(",", ",,");
        arguments.add("-blockdev");
        arguments.add("driver=raw,node-name=" + id + "-raw,file.driver=file,file.filename=" + file);
        arguments.add("-device");
        arguments.add("virtio-blk-pci,id=" + id + ",drive=" + id + "-raw"
                + (bootIndex == 0 ? "" : ",bootindex=" + bootIndex));
        return this;
    }

    /** Further arguments of QEMU as they are. */
    public GuestSpec arguments(String... more) {
        arguments.addAll(List.of(more));
        return this;
    }

    /** QEMU is started by a program that replaces itself by what follows, as by {@link NetworkNamespace#prefix}. */
    public GuestSpec startedBy(List<String> words) {
        this.starter = List.copyOf(words);
        return this;
    }

    /** The machine waits for {@code cont} before its first instruction. */
    public GuestSpec startPaused() {
        this.paused = true;
        return this;
    }

    /** A second monitor, for a program other than the one that started the guest: {@link Guest#nodeMonitor}. */
    public GuestSpec nodeMonitor() {
        this.nodeMonitor = true;
        return this;
    }

    /** So many serial cards for {@link Heartbeat}, 0 by default. */
    public GuestSpec heartbeats(int count) {
        this.heartbeats = count;
        return this;
    }

    /**
     * The same guest as it is to be started where it moves to: it waits for its state to come in and then for {@code
     * cont}. Its vhost-user devices are to be added, with the same ids in the same order, each with its own socket;
     * disks of QEMU itself and other arguments are the same. The release may be another one where the machine type has a
     * version.
     */
    public GuestSpec destination() {
        GuestSpec copy = new GuestSpec(job);
        copy.release = release;
        copy.boot = boot;
        copy.memoryMib = memoryMib;
        copy.processors = processors;
        copy.machineType = machineType;
        copy.name = name;
        copy.kernelArguments = kernelArguments;
        copy.nodeMonitor = nodeMonitor;
        copy.heartbeats = heartbeats;
        copy.bootTimeout = bootTimeout;
        copy.starter = starter;
        copy.arguments.addAll(arguments);
        copy.customizer = customizer;
        copy.paused = true;
        copy.incoming = true;
        return copy;
    }

    /** How long the guest may take until its job starts, 3 minutes by default. */
    public GuestSpec bootTimeout(Duration value) {
        this.bootTimeout = value;
        return this;
    }

    /** A last word on the machine. */
    public GuestSpec customize(Consumer<MachineSpec.Builder> change) {
        this.customizer = change;
        return this;
    }
}
