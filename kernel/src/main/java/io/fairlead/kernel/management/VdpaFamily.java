package io.fairlead.kernel.management;

import io.fairlead.linux.Errno;
import io.fairlead.linux.GenericNetlink;
import io.fairlead.linux.NetlinkException;
import io.fairlead.linux.NetlinkPayload;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * The kernel's vDPA management: generic netlink, family {@code vdpa}. Lists and shows management devices and devices, adds
 * and deletes devices. Changes take CAP_NET_ADMIN, and so do vendor statistics.
 *
 * <p>Thread-safe; one request at a time. What the kernel refuses is a {@link ManagementException} with the kernel's words
 * and what helps; an answer that makes no sense is another IOException, after which this object is of no more use.
 */
public final class VdpaFamily implements AutoCloseable {
    /** How requests reach the kernel. */
    interface Channel {
        List<GenericNetlink.Message> exchange(String request, int command, boolean dump, NetlinkPayload payload)
                throws IOException;
    }

    private interface Reader<T> {
        T read(GenericNetlink.Message message) throws IOException;
    }

    private final Channel channel;
    private final Runnable close;

    VdpaFamily(Channel channel, Runnable close) {
        this.channel = channel;
        this.close = close;
    }

    /**
     * Finds the family.
     *
     * @throws ManagementException where the kernel has none
     */
    public static VdpaFamily open() throws IOException {
        try {
            GenericNetlink netlink = GenericNetlink.open(VdpaUapi.VDPA_GENL_NAME, VdpaUapi.VDPA_GENL_VERSION);
            return new VdpaFamily(
                    (request, command, dump, payload) ->
                            dump ? netlink.dump(request, command, payload) : netlink.request(request, command, payload),
                    netlink::close);
        } catch (NetlinkException e) {
            throw Refusal.ofFamily(e);
        }
    }

    /** All management devices, in the kernel's order. */
    public List<ManagementDeviceInfo> managementDevices() throws IOException {
        return list(
                "VDPA_CMD_MGMTDEV_GET",
                VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                VdpaAnswers::managementDevice);
    }

    /** @throws ManagementException with ENODEV where there is none of that name */
    public ManagementDeviceInfo managementDevice(ManagementDeviceName name) throws IOException {
        try {
            return one(
                    exchange(
                            "VDPA_CMD_MGMTDEV_GET " + name,
                            VdpaUapi.VDPA_CMD_MGMTDEV_GET,
                            put(new NetlinkPayload(), name)),
                    VdpaUapi.VDPA_CMD_MGMTDEV_NEW,
                    VdpaAnswers::managementDevice);
        } catch (NetlinkException e) {
            throw Refusal.of(
                    Refusal.Action.SHOW,
                    "cannot show management device " + name,
                    name.toString(),
                    known(managementDevices(), info -> info.name().toString()),
                    e);
        }
    }

    /** All devices, in the kernel's order. */
    public List<DeviceInfo> devices() throws IOException {
        return list("VDPA_CMD_DEV_GET", VdpaUapi.VDPA_CMD_DEV_GET, VdpaUapi.VDPA_CMD_DEV_NEW, VdpaAnswers::device);
    }

    /** @throws ManagementException with ENODEV where there is none of that name */
    public DeviceInfo device(String name) throws IOException {
        try {
            return one(
                    exchange("VDPA_CMD_DEV_GET " + name, VdpaUapi.VDPA_CMD_DEV_GET, named(name)),
                    VdpaUapi.VDPA_CMD_DEV_NEW,
                    VdpaAnswers::device);
        } catch (NetlinkException e) {
            throw refusal(Refusal.Action.SHOW, "cannot show", name, e);
        }
    }

    /**
     * Creates a device.
     *
     * @param name unique on the vdpa bus; for VDUSE the name of the device that a program serves
     * @throws ManagementException where the kernel does not; nothing was created then
     */
    public void add(String name, ManagementDeviceName managementDevice, DeviceAttributes attributes)
            throws IOException {
        NetlinkPayload payload = put(named(name), managementDevice);
        attributes.mac().ifPresent(mac -> payload.add(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MACADDR, MacAddress.parse(mac)));
        attributes.mtu().ifPresent(mtu -> payload.u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MTU, mtu));
        attributes.maxQueuePairs().ifPresent(pairs -> payload.u16(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MAX_VQP, pairs));
        attributes.features().ifPresent(features -> payload.u64(VdpaUapi.VDPA_ATTR_DEV_FEATURES, features));
        try {
            exchange("VDPA_CMD_DEV_NEW " + name, VdpaUapi.VDPA_CMD_DEV_NEW, payload);
        } catch (NetlinkException e) {
            throw Refusal.of(
                    Refusal.Action.ADD,
                    "cannot add vDPA device %s at %s".formatted(name, managementDevice),
                    managementDevice.toString(),
                    known(managementDevices(), info -> info.name().toString()),
                    e);
        }
    }

    /**
     * Deletes a device. The kernel waits, and with it everybody who asks for anything about vDPA devices, until no process
     * has the device open any more: see {@link VdpaBus#uses}.
     *
     * @throws ManagementException with ENODEV where there is none of that name
     */
    public void delete(String name) throws IOException {
        try {
            exchange("VDPA_CMD_DEV_DEL " + name, VdpaUapi.VDPA_CMD_DEV_DEL, named(name));
        } catch (NetlinkException e) {
            throw refusal(Refusal.Action.DELETE, "cannot delete", name, e);
        }
    }

    /**
     * The configuration of a network card or disk.
     *
     * @throws ManagementException with EOPNOTSUPP for devices of other types, ENODEV where there is none of that name
     */
    public DeviceConfig config(String name) throws IOException {
        try {
            return one(
                    exchange("VDPA_CMD_DEV_CONFIG_GET " + name, VdpaUapi.VDPA_CMD_DEV_CONFIG_GET, named(name)),
                    VdpaUapi.VDPA_CMD_DEV_CONFIG_GET,
                    VdpaAnswers::config);
        } catch (NetlinkException e) {
            throw refusal(Refusal.Action.CONFIG, "cannot show the configuration of", name, e);
        }
    }

    /**
     * The configurations of all network cards and disks. One after the other: the kernel's own list ends at the first
     * device of another type.
     */
    public List<DeviceConfig> configs() throws IOException {
        List<DeviceConfig> configs = new ArrayList<>();
        for (DeviceInfo device : devices()) {
            try {
                configs.add(config(device.name()));
            } catch (ManagementException e) {
                // Of a type that the kernel does not tell of, or gone meanwhile.
                if (e.errno() != Errno.EOPNOTSUPP && e.errno() != Errno.ENODEV) {
                    throw e;
                }
            }
        }
        return configs;
    }

    /**
     * What the vendor's driver counts of a queue.
     *
     * @throws ManagementException with EOPNOTSUPP where it counts nothing, EAGAIN where no driver uses the device
     */
    public VendorStatistics statistics(String name, int queue) throws IOException {
        try {
            return one(
                    exchange(
                            "VDPA_CMD_DEV_VSTATS_GET " + name,
                            VdpaUapi.VDPA_CMD_DEV_VSTATS_GET,
                            named(name).u32(VdpaUapi.VDPA_ATTR_DEV_QUEUE_INDEX, queue)),
                    VdpaUapi.VDPA_CMD_DEV_VSTATS_GET,
                    VdpaAnswers::statistics);
        } catch (NetlinkException e) {
            throw refusal(
                    Refusal.Action.STATISTICS, "cannot show the statistics of queue %d of".formatted(queue), name, e);
        }
    }

    /**
     * Changes the MAC address of a network card that no driver uses, where the kernel knows how: 6.12 does.
     *
     * @throws ManagementException with EOPNOTSUPP where the kernel or the device's driver cannot
     */
    public void setMac(String name, String mac) throws IOException {
        byte[] address = MacAddress.parse(mac);
        try {
            exchange(
                    "VDPA_CMD_DEV_ATTR_SET " + name,
                    VdpaUapi.VDPA_CMD_DEV_ATTR_SET,
                    named(name).add(VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MACADDR, address));
        } catch (NetlinkException e) {
            throw refusal(Refusal.Action.SET, "cannot change the MAC address of", name, e);
        }
    }

    private ManagementException refusal(Refusal.Action action, String verb, String name, NetlinkException e)
            throws IOException {
        return Refusal.of(
                action, "%s vDPA device %s".formatted(verb, name), name, known(devices(), DeviceInfo::name), e);
    }

    private static <T> List<String> known(List<T> objects, Function<T, String> name) {
        return objects.stream()
                .map(object -> Refusal.printable(name.apply(object)))
                .toList();
    }

    private <T> List<T> list(String request, int command, int answer, Reader<T> reader) throws IOException {
        List<T> found = new ArrayList<>();
        try {
            for (GenericNetlink.Message message : channel.exchange(request, command, true, new NetlinkPayload())) {
                found.add(read(message, answer, reader));
            }
        } catch (NetlinkException e) {
            throw Refusal.of(Refusal.Action.SHOW, "cannot list", "", List.of(), e);
        }
        return found;
    }

    private List<GenericNetlink.Message> exchange(String request, int command, NetlinkPayload payload)
            throws IOException {
        return channel.exchange(request, command, false, payload);
    }

    private static <T> T one(List<GenericNetlink.Message> messages, int answer, Reader<T> reader) throws IOException {
        if (messages.size() != 1) {
            throw new IOException("the kernel answered with %d messages instead of one".formatted(messages.size()));
        }
        return read(messages.getFirst(), answer, reader);
    }

    private static <T> T read(GenericNetlink.Message message, int answer, Reader<T> reader) throws IOException {
        if (message.command() != answer) {
            throw new IOException("the kernel answered with command %d instead of %d of the family vdpa"
                    .formatted(message.command(), answer));
        }
        return reader.read(message);
    }

    private static NetlinkPayload named(String name) {
        return new NetlinkPayload().text(VdpaUapi.VDPA_ATTR_DEV_NAME, name);
    }

    private static NetlinkPayload put(NetlinkPayload payload, ManagementDeviceName name) {
        name.busName().ifPresent(bus -> payload.text(VdpaUapi.VDPA_ATTR_MGMTDEV_BUS_NAME, bus));
        return payload.text(VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME, name.device());
    }

    @Override
    public void close() {
        close.run();
    }
}
