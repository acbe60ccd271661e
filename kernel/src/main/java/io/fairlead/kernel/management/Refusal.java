package io.fairlead.kernel.management;

import io.fairlead.linux.Errno;
import io.fairlead.linux.NetlinkException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Turns what the kernel says no with into what a user can do about it. */
final class Refusal {
    /** What was asked. */
    enum Action {
        SHOW,
        ADD,
        DELETE,
        CONFIG,
        STATISTICS,
        SET
    }

    private static final String PRIVILEGE = "it takes CAP_NET_ADMIN: run this as root";

    private static final Map<Integer, String> ATTRIBUTES = Map.of(
            VdpaUapi.VDPA_ATTR_DEV_NAME, "name",
            VdpaUapi.VDPA_ATTR_MGMTDEV_BUS_NAME, "mgmtdev",
            VdpaUapi.VDPA_ATTR_MGMTDEV_DEV_NAME, "mgmtdev",
            VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MACADDR, "mac",
            VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MTU, "mtu",
            VdpaUapi.VDPA_ATTR_DEV_NET_CFG_MAX_VQP, "max_vqp",
            VdpaUapi.VDPA_ATTR_DEV_FEATURES, "device_features",
            VdpaUapi.VDPA_ATTR_DEV_QUEUE_INDEX, "qidx");

    private Refusal() {}

    /** The kernel has no family vdpa, or does not tell of it. */
    static ManagementException ofFamily(NetlinkException refusal) {
        return new ManagementException(
                refusal.errno() == Errno.ENOENT
                        ? "the kernel has no vDPA management (generic netlink family vdpa); load it: modprobe vdpa."
                                + " Within a network namespace of its own, use the machine's first one"
                        : "the kernel's vDPA management does not answer: " + refusal.getMessage(),
                refusal);
    }

    /**
     * @param what was asked, such as {@code cannot add vDPA device blk0 at vdpasim_blk}
     * @param object the management device of a new device, else the device
     * @param known the names of the objects that there are
     */
    static ManagementException of(
            Action action, String what, String object, List<String> known, NetlinkException refusal) {
        StringBuilder message = new StringBuilder(what).append(": ");
        message.append(refusal.kernelMessage()
                .map(words -> "the kernel says '%s' (%s)".formatted(printable(words), Errno.name(refusal.errno())))
                .orElseGet(() -> "%s (%s)".formatted(Errno.name(refusal.errno()), Errno.text(refusal.errno()))));
        name(refusal.wrongAttribute(), " about the attribute ", message);
        name(refusal.missingAttribute(), ", the attribute is missing: ", message);
        String remedy = remedy(action, object, known, refusal);
        if (!remedy.isEmpty()) {
            message.append("; ").append(remedy);
        }
        return new ManagementException(message.toString(), refusal);
    }

    private static void name(OptionalInt attribute, String before, StringBuilder message) {
        if (attribute.isPresent()) {
            message.append(before)
                    .append(ATTRIBUTES.getOrDefault(attribute.getAsInt(), "of type " + attribute.getAsInt()));
        }
    }

    private static String remedy(Action action, String object, List<String> known, NetlinkException refusal) {
        int errno = refusal.errno();
        if (errno == Errno.EPERM || errno == Errno.EACCES) {
            return PRIVILEGE;
        }
        if (action == Action.ADD) {
            return remedyOfAdd(object, known, refusal);
        }
        if (errno == Errno.ENODEV) {
            return known.isEmpty() ? "there is none" : "there are: " + String.join(", ", known);
        }
        return switch (action) {
            case CONFIG ->
                errno == Errno.EOPNOTSUPP ? "kernels tell the configuration of network cards and disks only" : "";
            case STATISTICS ->
                switch (errno) {
                    case Errno.EOPNOTSUPP -> "its driver keeps no statistics";
                    case Errno.EAGAIN ->
                        "its queues count once a driver uses it: fairlead dev bind, or start the machine";
                    case Errno.EINVAL, Errno.ERANGE -> "choose a queue that it has: fairlead dev show " + object;
                    default -> "";
                };
            case SET ->
                errno == Errno.EOPNOTSUPP ? "this kernel or the device's driver cannot change it: add it anew" : "";
            case DELETE -> errno == Errno.EINVAL ? "only devices that were added can be deleted" : "";
            case SHOW, ADD -> "";
        };
    }

    private static String remedyOfAdd(String managementDevice, List<String> known, NetlinkException refusal) {
        return switch (refusal.errno()) {
            case Errno.ENODEV ->
                known.isEmpty()
                        ? "there is no management device: load a module that makes one, such as vduse or vdpa_sim_net,"
                                + " or bind a PCI function (fairlead mgmtdev bind)"
                        : "the management devices are: " + String.join(", ", known);
            case Errno.EEXIST -> "choose another name: fairlead dev show lists those that are taken";
            case Errno.EBUSY, Errno.ENOSPC ->
                "%s has no room for another device: delete one of its devices (fairlead dev show)"
                        .formatted(managementDevice);
            case Errno.EOPNOTSUPP ->
                "leave out attributes that %s does not take; fairlead mgmtdev show %s tells its features"
                        .formatted(managementDevice, managementDevice);
            case Errno.EINVAL -> remedyOfInvalid(managementDevice, refusal);
            default -> "";
        };
    }

    private static String remedyOfInvalid(String managementDevice, NetlinkException refusal) {
        if (refusal.wrongAttribute().isPresent() || refusal.kernelMessage().isPresent()) {
            return "";
        }
        return managementDevice.equals("vduse")
                ? "a program has to serve a VDUSE device of that name first, which then stands at /dev/vduse"
                : "%s does not take the name or one of the attributes; fairlead mgmtdev show %s tells its features"
                        .formatted(managementDevice, managementDevice);
    }

    /** Text of others without what a terminal would take for commands. */
    static String printable(String text) {
        StringBuilder safe = new StringBuilder(text.length());
        text.codePoints()
                .map(c -> Character.isISOControl(c) || !Character.isDefined(c) ? '?' : c)
                .forEach(safe::appendCodePoint);
        return safe.toString();
    }
}
