package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.DirectVdpaDevice;
import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.NetworkInterface;
import io.fairlead.qemu.domain.VdpaSource;
import java.util.LinkedHashMap;
import java.util.Map;

/** vDPA devices, as the host has resolved them. */
final class VdpaArguments {
    private VdpaArguments() {}

    static void disk(Arguments out, Disk disk, VdpaSource source) throws DomainException {
        Map<String, String> properties = new LinkedHashMap<>(out.placeText(disk));
        VdpaAttachment attachment = out.host().vdpa(Arguments.id(disk), source);
        if (attachment instanceof VdpaAttachment.Shared(VhostUserDevice device)) {
            if (!device.driver().startsWith("vhost-user-blk")) {
                throw out.refuse(
                        disk, source.dev() + " is no disk but needs " + device.driver(), "use <hostdev type='vdpa'>");
            }
            if (disk.tuning().queues() > 0) {
                properties.put("num-queues", Integer.toString(disk.tuning().queues()));
            }
        }
        attach(out, disk, attachment, properties);
    }

    static void nic(Arguments out, NetworkInterface nic, VdpaSource source) throws DomainException {
        Map<String, String> properties = new LinkedHashMap<>(out.placeText(nic));
        VdpaAttachment attachment = out.host().vdpa(Arguments.id(nic), source);
        if (attachment instanceof VdpaAttachment.Shared(VhostUserDevice device)) {
            if (device.netdevQueues() == 0) {
                throw out.refuse(
                        nic,
                        source.dev() + " is no network card but needs " + device.driver(),
                        "use <hostdev type='vdpa'>");
            }
            properties.putAll(NetArguments.properties(nic));
            VdpaAttachment card =
                    nic.queues() > 1 ? new VdpaAttachment.Shared(device.withQueuePairs(nic.queues())) : attachment;
            attach(out, nic, card, properties);
            return;
        }
        attach(out, nic, attachment, properties);
    }

    static void host(Arguments out, Device device, VdpaAttachment attachment) throws DomainException {
        attach(out, device, attachment, out.placeText(device));
    }

    private static void attach(Arguments out, Device device, VdpaAttachment attachment, Map<String, String> properties)
            throws DomainException {
        switch (attachment) {
            case VdpaAttachment.Shared(VhostUserDevice shared) -> {
                checkId(out, device, shared.id());
                VhostUserDevice placed = shared;
                for (Map.Entry<String, String> property : properties.entrySet()) {
                    placed = placed.with(property.getKey(), property.getValue());
                }
                out.addAll(placed.jsonArguments(out.version()));
            }
            case VdpaAttachment.Direct(DirectVdpaDevice direct) -> {
                checkId(out, device, direct.id());
                DirectVdpaDevice placed = direct;
                for (Map.Entry<String, String> property : properties.entrySet()) {
                    placed = placed.with(property.getKey(), property.getValue());
                }
                out.addAll(placed.jsonArguments());
            }
        }
    }

    private static void checkId(Arguments out, Device device, String id) {
        if (!id.equals(Arguments.id(device))) {
            throw new IllegalStateException("The host resolved " + Arguments.id(device) + " of "
                    + out.domain().name() + " under another id: " + id);
        }
    }
}
