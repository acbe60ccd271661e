package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.Cpu;
import io.fairlead.qemu.domain.DomainException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code <vcpu>} and {@code <cpu>}. */
final class CpuXml {
    private static final int MAX_PROCESSORS = 4096;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    private CpuXml() {}

    static Cpu read(ElementReader root) throws DomainException {
        ElementReader vcpu = root.child("vcpu");
        int count = 1;
        int current = 1;
        if (vcpu != null) {
            vcpu.quiet("placement");
            count = (int) vcpu.numberOfText(1, MAX_PROCESSORS);
            current = vcpu.number("current", count, 1, count);
        }
        ElementReader in = root.child("cpu");
        if (in == null) {
            return new Cpu(count, current, Cpu.Mode.UNSAID, null, null, List.of());
        }
        // libvirt checks by these whether the host has what was asked for; here QEMU does.
        in.quiet("match", "check", "migratable");
        ElementReader modelElement = in.child("model");
        String model = null;
        if (modelElement != null) {
            modelElement.quiet("fallback", "vendor_id");
            model = modelElement.text().isBlank() ? null : modelElement.text().strip();
            if (model != null) {
                checkName(modelElement, model);
            }
        }
        Cpu.Mode mode = in.choice("mode", model == null ? Cpu.Mode.UNSAID : Cpu.Mode.CUSTOM);
        if (mode == Cpu.Mode.CUSTOM && model == null) {
            throw in.refuse("mode='custom' without a model", "add <model>NAME</model>");
        }
        return new Cpu(
                count,
                current,
                mode,
                mode == Cpu.Mode.CUSTOM ? model : null,
                topology(in.child("topology"), count),
                features(in));
    }

    private static Cpu.@Nullable Topology topology(@Nullable ElementReader in, int count) throws DomainException {
        if (in == null) {
            return null;
        }
        Cpu.Topology topology = new Cpu.Topology(
                in.number("sockets", 1, 1, MAX_PROCESSORS),
                in.number("dies", 1, 1, MAX_PROCESSORS),
                in.number("cores", 1, 1, MAX_PROCESSORS),
                in.number("threads", 1, 1, MAX_PROCESSORS));
        if (in.number("clusters", 1, 1, MAX_PROCESSORS) != 1) {
            throw in.refuseAttribute("clusters", "clusters are not taken on x86", "leave it out");
        }
        long product = (long) topology.sockets() * topology.dies() * topology.cores() * topology.threads();
        if (product != count) {
            throw in.refuse(
                    "sockets, dies, cores and threads make " + product + " processors, and the machine has " + count,
                    "make them agree with <vcpu>");
        }
        return topology;
    }

    private static List<Cpu.Feature> features(ElementReader in) throws DomainException {
        List<Cpu.Feature> features = new ArrayList<>();
        for (ElementReader feature : in.children("feature")) {
            String name = feature.required("name");
            checkName(feature, name);
            features.add(new Cpu.Feature(name, feature.choice("policy", Cpu.Policy.REQUIRE)));
        }
        return features;
    }

    private static void checkName(ElementReader in, String name) throws DomainException {
        if (!NAME.matcher(name).matches()) {
            throw in.refuse("\"" + name + "\" is not a name of QEMU's", "see qemu-system-x86_64 -cpu help");
        }
    }

    static void write(Cpu cpu, ElementWriter out) {
        ElementWriter _ = out.child("vcpu")
                .setIf(cpu.current() < cpu.count(), "current", cpu.current())
                .text(Integer.toString(cpu.count()));
        if (cpu.mode() == Cpu.Mode.UNSAID
                && cpu.topology() == null
                && cpu.features().isEmpty()) {
            return;
        }
        ElementWriter child = out.child("cpu")
                .setIf(cpu.mode() != Cpu.Mode.UNSAID, "mode", cpu.mode().word())
                .childText("model", cpu.model());
        Cpu.Topology topology = cpu.topology();
        if (topology != null) {
            ElementWriter _ = child.child("topology")
                    .set("sockets", topology.sockets())
                    .setIf(topology.dies() > 1, "dies", topology.dies())
                    .set("cores", topology.cores())
                    .set("threads", topology.threads());
        }
        for (Cpu.Feature feature : cpu.features()) {
            ElementWriter _ = child.child("feature")
                    .set("policy", feature.policy().word())
                    .set("name", feature.name());
        }
    }
}
