package io.fairlead.qemu;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a machine consists of. Immutable; made by {@link #builder}. Guest memory is always a shared memfd, which
 * vhost-user devices need and which costs nothing.
 */
public final class MachineSpec implements MachineDefinition {
    private final String name;
    private final Accelerator accelerator;
    private final String machineType;
    private final String cpu;
    private final int memoryMib;
    private final int processors;
    private final @Nullable Path kernel;
    private final @Nullable Path initrd;
    private final String kernelArguments;
    private final @Nullable Path firmwareCode;
    private final @Nullable Path firmwareVariables;
    private final boolean startPaused;
    private final List<FirmwareFile> firmwareFiles;
    private final List<VhostUserDevice> vhostUserDevices;
    private final List<DirectVdpaDevice> directVdpaDevices;
    private final List<String> extraArguments;
    private final int extraSerialPorts;
    private final int pciSerialPorts;

    private MachineSpec(Builder builder) {
        this.name = builder.name;
        this.accelerator = builder.accelerator;
        this.machineType = builder.machineType;
        this.cpu = builder.cpu;
        this.memoryMib = builder.memoryMib;
        this.processors = builder.processors;
        this.kernel = builder.kernel;
        this.initrd = builder.initrd;
        this.kernelArguments = builder.kernelArguments;
        this.firmwareCode = builder.firmwareCode;
        this.firmwareVariables = builder.firmwareVariables;
        this.startPaused = builder.startPaused;
        this.firmwareFiles = List.copyOf(builder.firmwareFiles);
        this.vhostUserDevices = List.copyOf(builder.vhostUserDevices);
        this.directVdpaDevices = List.copyOf(builder.directVdpaDevices);
        this.extraArguments = List.copyOf(builder.extraArguments);
        this.extraSerialPorts = builder.extraSerialPorts;
        this.pciSerialPorts = builder.pciSerialPorts;
    }

    public static Builder builder() {
        return new Builder();
    }

    @Override
    public String name() {
        return name;
    }

    /** All serial ports: the console, the other ones of the board, those on PCI cards. */
    @Override
    public int serialPortCount() {
        return 1 + extraSerialPorts + pciSerialPorts;
    }

    @Override
    public List<String> arguments(QemuVersion version, Path monitor, List<Path> serialSockets) {
        List<String> arguments = new ArrayList<>();
        add(arguments, "-name", Options.escape(name));
        add(arguments, "-accel", accelerator.option());
        add(arguments, "-machine", Options.escape(machineType) + ",memory-backend=mem0");
        add(arguments, "-cpu", cpu);
        add(arguments, "-m", memoryMib + "M");
        add(arguments, "-object", "memory-backend-memfd,id=mem0,share=on,size=" + memoryMib + "M");
        add(arguments, "-smp", Integer.toString(processors));
        arguments.addAll(List.of("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"));
        if (startPaused) {
            arguments.add("-S");
        }
        add(arguments, "-qmp", "unix:" + Options.escape(monitor.toString()) + ",server=on,wait=off");
        for (int i = 0; i < serialSockets.size(); i++) {
            add(
                    arguments,
                    "-chardev",
                    "socket,id=serial" + i + ",server=off,path="
                            + Options.escape(serialSockets.get(i).toString()));
            if (i <= extraSerialPorts) {
                add(arguments, "-serial", "chardev:serial" + i);
            } else {
                add(arguments, "-device", "pci-serial,id=serial-card" + i + ",chardev=serial" + i);
            }
        }
        addBoot(arguments);
        for (FirmwareFile file : firmwareFiles) {
            add(
                    arguments,
                    "-fw_cfg",
                    "name=" + Options.escape(file.name()) + ",file="
                            + Options.escape(file.file().toString()));
        }
        // First what devices may be plugged into.
        arguments.addAll(extraArguments);
        vhostUserDevices.forEach(device -> arguments.addAll(device.arguments(version)));
        directVdpaDevices.forEach(device -> arguments.addAll(device.arguments()));
        return arguments;
    }

    private void addBoot(List<String> arguments) {
        if (firmwareCode != null && firmwareVariables != null) {
            add(
                    arguments,
                    "-drive",
                    "if=pflash,unit=0,format=raw,readonly=on,file=" + Options.escape(firmwareCode.toString()));
            add(
                    arguments,
                    "-drive",
                    "if=pflash,unit=1,format=raw,file=" + Options.escape(firmwareVariables.toString()));
        }
        if (kernel != null) {
            add(arguments, "-kernel", kernel.toString());
            if (initrd != null) {
                add(arguments, "-initrd", initrd.toString());
            }
            add(arguments, "-append", kernelArguments);
        }
    }

    private static void add(List<String> arguments, String option, String value) {
        arguments.add(option);
        arguments.add(value);
    }

    /** A file that the guest reads through QEMU's fw_cfg; its name starts with {@code opt/}. */
    private record FirmwareFile(String name, Path file) {}

    /** Collects a machine's parts. Not for several threads at once. */
    public static final class Builder {
        private String name = "machine";
        private Accelerator accelerator = Accelerator.TCG;
        private String machineType = "q35";
        private String cpu = "max";
        private int memoryMib = 512;
        private int processors = 1;
        private @Nullable Path kernel;
        private @Nullable Path initrd;
        private String kernelArguments = "";
        private @Nullable Path firmwareCode;
        private @Nullable Path firmwareVariables;
        private boolean startPaused;
        private final List<FirmwareFile> firmwareFiles = new ArrayList<>();
        private final List<VhostUserDevice> vhostUserDevices = new ArrayList<>();
        private final List<DirectVdpaDevice> directVdpaDevices = new ArrayList<>();
        private final List<String> extraArguments = new ArrayList<>();
        private int extraSerialPorts;
        private int pciSerialPorts;

        private Builder() {}

        /** The machine's name: letters, digits, {@code . _ -}. */
        public Builder name(String value) {
            if (!value.matches("[A-Za-z0-9._-]{1,40}")) {
                throw new IllegalArgumentException("A machine's name is 1 to 40 letters, digits, . _ -: " + value);
            }
            this.name = value;
            return this;
        }

        /** TCG by default. */
        public Builder accelerator(Accelerator value) {
            this.accelerator = value;
            return this;
        }

        /** QEMU's machine type, q35 by default; a versioned one where the machine shall migrate. */
        public Builder machineType(String value) {
            this.machineType = value;
            return this;
        }

        /** QEMU's processor model, max by default. */
        public Builder cpu(String value) {
            this.cpu = value;
            return this;
        }

        /** Guest memory in MiB, 512 by default. */
        public Builder memoryMib(int value) {
            if (value < 1) {
                throw new IllegalArgumentException("A machine needs at least 1 MiB of memory: " + value);
            }
            this.memoryMib = value;
            return this;
        }

        /** Virtual processors, 1 by default. */
        public Builder processors(int value) {
            if (value < 1) {
                throw new IllegalArgumentException("A machine needs at least 1 processor: " + value);
            }
            this.processors = value;
            return this;
        }

        /** Boots a kernel directly; without this the firmware boots from a device with a bootindex. */
        public Builder kernel(Path vmlinuz, @Nullable Path initramfs, String arguments) {
            this.kernel = vmlinuz;
            this.initrd = initramfs;
            this.kernelArguments = arguments;
            return this;
        }

        /**
         * UEFI instead of SeaBIOS.
         *
         * @param code the firmware, read only
         * @param variables its variables, a copy for this machine alone
         */
        public Builder uefi(Path code, Path variables) {
            this.firmwareCode = code;
            this.firmwareVariables = variables;
            return this;
        }

        /** Waits for {@code cont} before the first instruction. */
        public Builder startPaused() {
            this.startPaused = true;
            return this;
        }

        /** A file that the guest reads through fw_cfg under a name that starts with {@code opt/}. */
        public Builder firmwareFile(String fileName, Path file) {
            firmwareFiles.add(new FirmwareFile(fileName, file));
            return this;
        }

        public Builder vhostUser(VhostUserDevice device) {
            vhostUserDevices.add(device);
            return this;
        }

        /** A device with which the machine does not migrate. */
        public Builder directVdpa(DirectVdpaDevice device) {
            directVdpaDevices.add(device);
            return this;
        }

        /** Further arguments as they are, before those of vhost-user devices. */
        public Builder arguments(String... arguments) {
            extraArguments.addAll(List.of(arguments));
            return this;
        }

        /** Serial ports beside the console, 0 by default, at most 3. */
        public Builder extraSerialPorts(int count) {
            if (count < 0 || count > 3) {
                throw new IllegalArgumentException("A machine has at most 4 serial ports, its console included");
            }
            this.extraSerialPorts = count;
            return this;
        }

        /** Serial ports on PCI cards, each with an interrupt of its own; they follow the others. 0 by default. */
        public Builder pciSerialPorts(int count) {
            if (count < 0 || count > 4) {
                throw new IllegalArgumentException("A machine has at most 4 serial ports on PCI cards: " + count);
            }
            this.pciSerialPorts = count;
            return this;
        }

        public MachineSpec build() {
            return new MachineSpec(this);
        }
    }
}
