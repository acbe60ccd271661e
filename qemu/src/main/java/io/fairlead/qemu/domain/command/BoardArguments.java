package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.Options;
import io.fairlead.qemu.domain.Boot;
import io.fairlead.qemu.domain.Cpu;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Features;
import io.fairlead.qemu.domain.Lifecycle;
import io.fairlead.qemu.domain.Memory;
import io.fairlead.qemu.domain.Video;
import io.fairlead.qemu.domain.VncDisplay;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** The board: accelerator, machine type, processors, memory, firmware, kernel, clock, what becomes of it at its end. */
final class BoardArguments {
    private static final String MEMORY = "mem0";

    private BoardArguments() {}

    static void add(Arguments out) throws DomainException {
        Domain domain = out.domain();
        out.add("-name", "guest=" + Options.escape(domain.name()));
        if (domain.uuid() != null) {
            out.add("-uuid", domain.uuid().toString());
        }
        out.add("-accel", domain.type() == Domain.Type.KVM ? "kvm" : "tcg,thread=multi");
        StringBuilder machine = new StringBuilder(domain.boot().machineType())
                .append(",memory-backend=")
                .append(MEMORY)
                .append(",acpi=")
                .append(domain.features().acpi() ? "on" : "off");
        toggle(machine, "vmport", domain.features().vmport());
        toggle(machine, "smm", domain.features().smm());
        firmware(out, machine);
        out.add("-machine", machine.toString());
        cpu(domain, out);
        memory(domain.memory(), out);
        for (String flag : new String[] {"-nodefaults", "-no-user-config"}) {
            out.addFlag(flag);
        }
        if (domain.devices(VncDisplay.class).isEmpty()
                || domain.devices(Video.class).isEmpty()) {
            out.add("-display", "none");
        }
        out.add("-rtc", "base=" + domain.clock());
        lifecycle(domain.lifecycle(), out);
        kernel(domain.boot(), out);
    }

    private static void toggle(StringBuilder machine, String name, Features.Toggle toggle) {
        if (toggle != Features.Toggle.DEFAULT) {
            machine.append(',').append(name).append('=').append(toggle.word());
        }
    }

    private static void firmware(Arguments out, StringBuilder machine) throws DomainException {
        Boot boot = out.domain().boot();
        Boot.Loader loader = boot.loader();
        if (loader != null && !loader.pflash()) {
            out.add("-bios", loader.path());
            return;
        }
        if (loader == null && !boot.efi()) {
            return;
        }
        Boot.Nvram nvram = boot.nvram();
        String variables = nvram == null ? null : nvram.path();
        String code;
        if (loader != null && (variables != null || nvram == null)) {
            code = loader.path();
        } else {
            HostResources.Firmware firmware = out.host().firmware(out.domain());
            code = loader == null ? firmware.code().toString() : loader.path();
            variables = firmware.variables().toString();
        }
        flash(out, machine, 0, code, loader == null || loader.readOnly());
        if (variables != null) {
            flash(out, machine, 1, variables, false);
        }
        if (loader != null && loader.secure()) {
            out.add("-global", "driver=cfi.pflash01,property=secure,value=on");
        }
    }

    private static void flash(Arguments out, StringBuilder machine, int unit, String file, boolean readOnly) {
        String node = "flash" + unit;
        out.json(
                "-blockdev",
                Map.of(
                        "driver",
                        "raw",
                        "node-name",
                        node,
                        "read-only",
                        readOnly,
                        "file",
                        Map.of("driver", "file", "filename", file, "read-only", readOnly)));
        machine.append(",pflash").append(unit).append('=').append(node);
    }

    private static void cpu(Domain domain, Arguments out) {
        Cpu cpu = domain.cpu();
        boolean kvm = domain.type() == Domain.Type.KVM;
        String model = switch (cpu.mode()) {
            case UNSAID -> null;
            case CUSTOM -> cpu.model();
            // Under emulation all that there is is what emulation can do.
            case HOST_MODEL, HOST_PASSTHROUGH -> kvm ? "host" : "max";
            case MAXIMUM -> "max";
        };
        String features = cpu.features().stream()
                .filter(feature -> feature.policy() != Cpu.Policy.OPTIONAL)
                .map(feature -> "," + feature.name() + "="
                        + switch (feature.policy()) {
                            case FORCE, REQUIRE, OPTIONAL -> "on";
                            case DISABLE, FORBID -> "off";
                        })
                .collect(Collectors.joining());
        if (model != null || !features.isEmpty()) {
            out.add("-cpu", (model == null ? "qemu64" : model) + features);
        }
        StringBuilder smp = new StringBuilder().append(cpu.current());
        if (cpu.current() < cpu.count()) {
            smp.append(",maxcpus=").append(cpu.count());
        }
        Cpu.Topology topology = cpu.topology();
        if (topology == null) {
            smp.append(",sockets=").append(cpu.count()).append(",cores=1,threads=1");
        } else {
            smp.append(",sockets=").append(topology.sockets());
            if (topology.dies() > 1) {
                smp.append(",dies=").append(topology.dies());
            }
            smp.append(",cores=").append(topology.cores()).append(",threads=").append(topology.threads());
        }
        out.add("-smp", smp.toString());
    }

    private static void memory(Memory memory, Arguments out) {
        Memory.Backing backing = memory.backing();
        // A memory file does for all but memory that is plainly of this process alone.
        boolean plain = !backing.shared()
                && !backing.hugePages()
                && backing.source() != Memory.Source.MEMFD
                && backing.source() != Memory.Source.FILE;
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("qom-type", plain ? "memory-backend-ram" : "memory-backend-memfd");
        object.put("id", MEMORY);
        object.put("size", memory.kib() << 10);
        if (!plain) {
            object.put("share", backing.shared());
        }
        if (backing.hugePages()) {
            object.put("hugetlb", true);
            if (backing.hugePageKib() > 0) {
                object.put("hugetlbsize", backing.hugePageKib() << 10);
            }
        }
        out.add("-m", "size=" + memory.kib() + "k");
        out.json("-object", object);
        if (backing.locked()) {
            out.add("-overcommit", "mem-lock=on");
        }
    }

    private static void lifecycle(Lifecycle lifecycle, Arguments out) {
        out.add(
                "-action",
                "reboot=" + (lifecycle.onReboot() == Lifecycle.Action.DESTROY ? "shutdown" : "reset")
                        + ",shutdown=" + (lifecycle.onPoweroff() == Lifecycle.Action.DESTROY ? "poweroff" : "pause")
                        + ",panic="
                        + switch (lifecycle.onCrash()) {
                            case DESTROY -> "shutdown";
                            case PRESERVE, RESTART, RENAME_RESTART, COREDUMP_DESTROY, COREDUMP_RESTART -> "pause";
                        });
    }

    private static void kernel(Boot boot, Arguments out) {
        Boot.Kernel kernel = boot.kernel();
        if (kernel != null) {
            out.add("-kernel", Path.of(kernel.kernel()).toString());
            if (kernel.initrd() != null) {
                out.add("-initrd", kernel.initrd());
            }
            if (kernel.arguments() != null) {
                out.add("-append", kernel.arguments());
            }
        }
    }
}
