package io.fairlead.daemon.machine;

import io.fairlead.daemon.device.Devices;
import io.fairlead.daemon.http.ApiException;
import io.fairlead.daemon.operation.Progress;
import io.fairlead.node.NodeDevice;
import io.fairlead.node.QemuModel;
import io.fairlead.qemu.GuestHoldsException;
import io.fairlead.qemu.HotPlug;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.format.DomainXml;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** vDPA devices that come to machines and leave them, while they run or not. */
final class MachineDevices {
    private final Machines machines;
    private final Devices devices;

    MachineDevices(Machines machines, Devices devices) {
        this.machines = machines;
        this.devices = devices;
    }

    /** Plugs one in and waits until the guest's driver has it; where that fails, the machine is as before. */
    void attach(ManagedMachine machine, String document, Duration guestTimeout, Progress progress)
            throws ApiException, IOException, DomainException, InterruptedException {
        MachineRecord kept = machine.kept();
        Device device = Definition.named(DomainXml.parseDevice(document).device(), kept.name(), kept.uuid());
        VdpaSource source = VdpaDevices.source(device);
        if (source == null || source.isPath() || source.mode() != VdpaSource.Mode.MANAGED) {
            throw new DomainException(
                    0,
                    kept.name() + "/" + device.element(),
                    "only devices of this daemon are plugged in",
                    "add it by 'fairlead dev add', and name it in <hostdev mode='subsystem' type='vdpa'>");
        }
        RunningMachine running = machine.running();
        MachineRecord.Live live = kept.live();
        if (running == null || live == null) {
            String xml = DomainXml.print(with(parse(kept.xml()), device));
            machines.update(machine, record -> record.withXml(xml));
            return;
        }
        Domain now = parse(live.xml());
        Domain then = with(now, device);
        Device placed = then.devices().get(now.devices().size());
        String bus = bus(then, placed);
        progress.phase("device");
        NodeDevice made = devices.claim(source.dev(), kept.name());
        boolean plugged = false;
        try {
            List<String> names = new ArrayList<>(live.devices());
            names.add(source.dev());
            // Before the guest has it: a daemon that is killed now finds it with its machine.
            MachineRecord.Live more = new MachineRecord.Live(DomainXml.print(then), MachineRecord.Stage.RUNNING, names);
            machines.update(machine, record -> record.withDevices(more));
            progress.phase("guest");
            VhostUserDevice model = QemuModel.of(made.device(), made.socket());
            HotPlug.plug(
                    running.qmp(), bus == null ? model : model.with("bus", bus).with("addr", "0x0"));
            if (!made.awaitDriver(guestTimeout)) {
                plugged = !isTakenOut(running, source.dev());
                throw ApiException.conflict(
                        "device %s: no driver of the guest has taken it within %d s; %s"
                                .formatted(
                                        source.dev(),
                                        guestTimeout.toSeconds(),
                                        plugged ? "the machine still has it" : "it was taken out again"),
                        plugged
                                ? "detach it, or wait until the guest is up and has the driver"
                                : "wait until the guest is up, or look into its kernel's log");
            }
            plugged = true;
            machines.moves().attached(kept.name(), made);
        } finally {
            if (!plugged) {
                devices.release(source.dev(), kept.name());
                machines.update(machine, record -> record.withDevices(live));
            }
        }
        String next = DomainXml.print(with(parse(kept.xml()), device));
        machines.update(machine, record -> record.withXml(next));
    }

    /** No driver came for it: it leaves again, unless the guest holds it. */
    private static boolean isTakenOut(RunningMachine running, String name) throws IOException, InterruptedException {
        try {
            HotPlug.unplug(running.qmp(), name, Duration.ofSeconds(1));
            return true;
        } catch (GuestHoldsException e) {
            return false;
        }
    }

    private static Domain parse(String xml) throws DomainException {
        return DomainXml.parse(xml).domain();
    }

    private static Domain with(Domain domain, Device device) throws DomainException {
        List<Device> more = new ArrayList<>(domain.devices());
        for (Device other : more) {
            if (other.place().alias() != null
                    && other.place().alias().equals(device.place().alias())) {
                throw new DomainException(
                        0,
                        domain.name() + "/" + device.place().alias(),
                        "the machine has it already",
                        "detach it first");
            }
        }
        more.add(device);
        return DomainPlan.complete(domain.withDevices(more), 0).domain();
    }

    /** The port that it is plugged into; null where QEMU finds a place. */
    private static @Nullable String bus(Domain domain, Device device) throws DomainException {
        if (!(device.place().address() instanceof Address.Pci pci) || pci.bus() == 0) {
            return null;
        }
        // The machine has the ports that it was started with.
        List<Device> all = domain.devices();
        for (Device other : all.subList(0, all.indexOf(device))) {
            if (other instanceof Controller port && port.type() == Controller.Type.PCI && port.index() == pci.bus()) {
                return port.place().alias();
            }
        }
        throw new DomainException(
                0,
                domain.name() + "/" + device.place().alias(),
                "all ports of the machine are taken",
                "detach a device, or start the machine again, which then has more ports");
    }

    /** Takes one out when the guest has let go of it. */
    void detach(ManagedMachine machine, String alias, Duration guestTimeout, Progress progress)
            throws ApiException, IOException, DomainException, InterruptedException {
        MachineRecord kept = machine.kept();
        MachineRecord.Live live = kept.live();
        RunningMachine running = machine.running();
        Domain now = parse(live == null ? kept.xml() : live.xml());
        VdpaSource source = now.devices().stream()
                .filter(device -> alias.equals(device.place().alias()))
                .map(VdpaDevices::source)
                .findFirst()
                .orElse(null);
        if (source == null) {
            throw ApiException.notFound("machine %s has no vDPA device %s".formatted(kept.name(), alias));
        }
        if (running != null && live != null) {
            progress.phase("guest");
            HotPlug.unplug(running.qmp(), alias, guestTimeout);
            List<String> names = new ArrayList<>(live.devices());
            names.remove(source.dev());
            MachineRecord.Live less =
                    new MachineRecord.Live(DomainXml.print(without(now, alias)), MachineRecord.Stage.RUNNING, names);
            machines.update(machine, record -> record.withDevices(less));
            devices.of(List.of(source.dev()), kept.name())
                    .forEach(gone -> machines.moves().detached(kept.name(), gone));
        }
        String next = DomainXml.print(without(parse(kept.xml()), alias));
        machines.update(machine, record -> record.withXml(next));
        devices.release(source.dev(), kept.name());
    }

    private static Domain without(Domain domain, String alias) {
        return domain.withDevices(domain.devices().stream()
                .filter(device -> !alias.equals(device.place().alias()))
                .toList());
    }
}
