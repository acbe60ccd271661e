package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.Options;
import io.fairlead.qemu.QemuVersion;
import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.Boot;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.NetworkInterface;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Collects the arguments of one complete domain. One thread. */
final class Arguments {
    private final Domain domain;
    private final Board board;
    private final HostResources host;
    private final QemuVersion version;
    private final List<Argument> list = new ArrayList<>();
    private int serialPorts;
    private final Map<Integer, String> ports;
    private final Map<String, Integer> bootIndexes = new HashMap<>();

    Arguments(Domain domain, Board board, HostResources host, QemuVersion version) {
        this.domain = domain;
        this.board = board;
        this.host = host;
        this.version = version;
        this.ports = DomainPlan.buses(domain, Controller.Type.PCI);
        findBootIndexes();
    }

    /** An argument; that of a serial port is known when the machine that holds it starts. */
    interface Argument {
        /** @param serialPorts of the machine */
        String text(SerialSockets serialPorts);
    }

    /**
     * The sockets of a machine's serial ports, in order.
     *
     * @param qemuListens whether QEMU makes them, and logs beside each what the guest writes; else it connects to them
     */
    record SerialSockets(List<Path> paths, boolean qemuListens) {
        String options(int number) {
            Path path = paths.get(number);
            if (!qemuListens) {
                return option("path", path) + ",server=off";
            }
            return option("path", path) + ",server=on,wait=off," + option("logfile", path + ".log") + ",logappend=on";
        }
    }

    Domain domain() {
        return domain;
    }

    HostResources host() {
        return host;
    }

    QemuVersion version() {
        return version;
    }

    Board board() {
        return board;
    }

    List<Argument> list() {
        return List.copyOf(list);
    }

    void add(String option, String value) {
        addFlag(option);
        addFlag(value);
    }

    void addFlag(String option) {
        list.add(_ -> option);
    }

    void addAll(List<String> arguments) {
        arguments.forEach(this::addFlag);
    }

    void json(String option, Map<String, ?> value) {
        add(option, Options.json(value));
    }

    /** A chardev, which QEMU takes in its own syntax alone. */
    void chardev(String backend, String id, String... options) {
        StringBuilder value = new StringBuilder(backend).append(",id=").append(id);
        for (String option : options) {
            value.append(',').append(option);
        }
        add("-chardev", value.toString());
    }

    /** A chardev that is the next of the machine's serial ports. */
    void serialPort(String id) {
        int number = serialPorts;
        serialPorts++;
        addFlag("-chardev");
        list.add(ports -> "socket,id=" + id + "," + ports.options(number));
    }

    /** How many of the machine's serial ports there are. */
    int serialPortCount() {
        return serialPorts;
    }

    static String option(String name, Path path) {
        return name + "=" + Options.escape(path.toString());
    }

    static String option(String name, String value) {
        return name + "=" + Options.escape(value);
    }

    /** The beginning of a device's description: model, id, place, boot index. */
    Map<String, Object> device(String driver, Device device) throws DomainException {
        Map<String, Object> description = new LinkedHashMap<>();
        description.put("driver", driver);
        description.put("id", id(device));
        description.putAll(place(device));
        return description;
    }

    /** Where it is, and when it is booted from. */
    Map<String, Object> place(Device device) throws DomainException {
        Map<String, Object> place = new LinkedHashMap<>();
        if (device.place().address() instanceof Address.Pci pci && Kinds.seat(device) != Kinds.Seat.NONE) {
            place.put("bus", bus(device, pci));
            place.put("addr", "0x%x.0x%x".formatted(pci.slot(), pci.function()));
            if (pci.multifunction()) {
                place.put("multifunction", true);
            }
        }
        Integer boot = bootIndexes.get(id(device));
        if (boot != null) {
            place.put("bootindex", boot);
        }
        return place;
    }

    /** The same as text, for devices that others describe. */
    Map<String, String> placeText(Device device) throws DomainException {
        Map<String, String> text = new LinkedHashMap<>();
        place(device).forEach((key, value) -> text.put(key, value.equals(true) ? "on" : value.toString()));
        return text;
    }

    private String bus(Device device, Address.Pci pci) throws DomainException {
        if (pci.bus() == 0) {
            return board.rootBus();
        }
        String port = ports.get(pci.bus());
        if (port == null) {
            throw refuse(device, "there is no bus " + pci.bus(), "leave <address> out");
        }
        return port;
    }

    static String id(Device device) {
        String alias = device.place().alias();
        if (alias == null) {
            throw new IllegalArgumentException("Not a complete domain: a " + device.element() + " has no id");
        }
        return alias;
    }

    DomainException refuse(Device device, String reason, String remedy) {
        return new DomainException(0, domain.name() + "/" + id(device), reason, remedy);
    }

    /** Devices say themselves when they are booted from, or the first of each kind is in the order of the kinds. */
    private void findBootIndexes() {
        boolean said = false;
        for (Device device : domain.devices()) {
            if (device.place().bootOrder() > 0) {
                bootIndexes.put(id(device), device.place().bootOrder());
                said = true;
            }
        }
        int next = 1;
        for (Boot.Source source : said ? List.<Boot.Source>of() : domain.boot().devices()) {
            Device first = first(source);
            if (first != null && bootIndexes.putIfAbsent(id(first), next) == null) {
                next++;
            }
        }
    }

    private @Nullable Device first(Boot.Source source) {
        for (Device device : domain.devices()) {
            boolean fits = switch (source) {
                case HD -> device instanceof Disk disk && disk.kind() == Disk.Kind.DISK;
                case CDROM -> device instanceof Disk disk && disk.kind() == Disk.Kind.CDROM;
                case NETWORK -> device instanceof NetworkInterface;
                case FD -> false;
            };
            if (fits) {
                return device;
            }
        }
        return null;
    }
}
