package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.domain.Address;
import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Disk;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Input;
import io.fairlead.qemu.domain.Kept;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.Place;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Completes a domain: controllers that its devices need, an id and a PCI address for each device, ports to plug into, shared
 * memory where a back-end outside QEMU needs it. A domain that is complete stays as it is, so that what was stored once keeps
 * its places for good.
 */
public final class DomainPlan {
    /** Ports that are left free for plugging, where nothing else is asked for. */
    public static final int SPARE_PORTS = 4;

    private static final int SLOTS = 32;
    private static final int FUNCTIONS = 8;
    private static final int MAX_PORTS = 200;

    private final Domain domain;
    private final Board board;
    private final List<Device> devices;
    private final List<Notice> notices = new ArrayList<>();
    private final Set<String> ids = new HashSet<>();

    /** At the root, by slot: the functions that are taken. */
    private final Map<Integer, Set<Integer>> root = new TreeMap<>();

    /** Slots of the root that have ports alone. */
    private final Set<Integer> portSlots = new HashSet<>();

    /** How many devices are behind each port, by index. */
    private final Map<Integer, Integer> ports = new TreeMap<>();

    private DomainPlan(Domain domain) throws DomainException {
        this.domain = domain;
        this.board = Board.of(domain);
        this.devices = new ArrayList<>(domain.devices());
    }

    /** A complete domain and what was added that its user should know of. */
    public record Planned(Domain domain, List<Notice> notices) {
        public Planned {
            notices = List.copyOf(notices);
        }
    }

    /**
     * Completes a domain.
     *
     * @param sparePorts how many ports are to be free; for q35 alone
     * @throws DomainException where places contradict each other or run out
     */
    public static Planned complete(Domain domain, int sparePorts) throws DomainException {
        DomainPlan plan = new DomainPlan(domain);
        plan.addControllers();
        plan.addIds();
        plan.takePlaces();
        plan.givePlaces();
        if (plan.board == Board.Q35) {
            plan.addSpares(sparePorts);
        }
        return new Planned(plan.withMemory(domain.withDevices(plan.devices)), plan.notices);
    }

    private Domain withMemory(Domain planned) {
        if (!planned.features().acpi()) {
            note("features", "without <acpi/> devices are neither plugged nor unplugged while it runs");
        }
        if (planned.memory().backing().shared() || !Kinds.needsSharedMemory(planned)) {
            return planned;
        }
        note("memoryBacking", "the memory is shared, since back-ends outside QEMU serve devices of this machine");
        return planned.withMemory(planned.memory().shared());
    }

    private void note(String what, String meaning) {
        notices.add(new Notice(0, domain.name() + "/" + what, meaning));
    }

    private DomainException refuse(Device device, String reason, String remedy) {
        String alias = device.place().alias();
        return new DomainException(0, domain.name() + "/" + (alias == null ? device.element() : alias), reason, remedy);
    }

    private void addControllers() {
        for (Device device : List.copyOf(devices)) {
            switch (device) {
                case Disk disk
                when disk.bus() == Disk.Bus.SCSI -> {
                    int index = disk.place().address() instanceof Address.Drive drive ? drive.controller() : 0;
                    addController(Controller.Type.SCSI, index, "virtio-scsi");
                }
                case CharacterDevice character
                when character.targetType().equals("virtio") -> addController(Controller.Type.VIRTIO_SERIAL, 0, null);
                case Input input
                when input.bus() == Input.Bus.USB -> addController(Controller.Type.USB, 0, "qemu-xhci");
                default -> {}
            }
            if (board == Board.Q35 && device.place().address() instanceof Address.Pci pci && pci.bus() > 0) {
                addController(Controller.Type.PCI, pci.bus(), "pcie-root-port");
            }
        }
    }

    private void addController(Controller.Type type, int index, @Nullable String model) {
        boolean there = devices.stream()
                .anyMatch(device -> device instanceof Controller controller
                        && controller.type() == type
                        && controller.index() == index
                        && !"none".equals(controller.model()));
        if (!there) {
            devices.removeIf(device -> device instanceof Controller controller
                    && controller.type() == type
                    && "none".equals(controller.model()));
            devices.add(new Controller(type, index, model, 0, 0, Place.NONE, Kept.NOTHING));
        }
    }

    private void addIds() {
        for (Device device : devices) {
            String alias = device.place().alias();
            if (alias != null) {
                ids.add(alias);
            }
        }
        devices.replaceAll(this::withId);
    }

    private Device withId(Device device) {
        String prefix = Kinds.prefix(device);
        if (device.place().alias() != null || prefix.isEmpty()) {
            return device;
        }
        return device.withPlace(device.place().withAlias(freeId(device, prefix)));
    }

    private String freeId(Device device, String prefix) {
        String best = switch (device) {
            case Disk disk -> "disk-" + disk.target();
            case Controller controller when controller.type() == Controller.Type.PCI -> "pci." + controller.index();
            case Controller controller -> prefix + controller.index();
            default -> "";
        };
        if (!best.isEmpty() && ids.add(best)) {
            return best;
        }
        int number = 0;
        while (!ids.add(prefix + number)) {
            number++;
        }
        return prefix + number;
    }

    /** What the document says. */
    private void takePlaces() throws DomainException {
        root.put(0, all());
        root.put(board.ownSlot(), new HashSet<>(board.ownFunctions()));
        for (Device device : devices) {
            if (Kinds.isRootPort(device)) {
                if (board != Board.Q35) {
                    throw refuse(device, "the board has conventional PCI and no root ports", "use machine='q35'");
                }
                int index = ((Controller) device).index();
                if (index == 0) {
                    throw refuse(device, "index 0 is the board's own bus", "use index='1' or more");
                }
                ports.putIfAbsent(index, 0);
            } else if (device instanceof Controller controller
                    && controller.type() == Controller.Type.PCI
                    && controller.index() > 0) {
                throw refuse(
                        device,
                        "PCI controllers of model " + controller.model() + " are not made",
                        "use pcie-root-port and leave out the addresses of devices behind it");
            }
        }
        for (Device device : devices) {
            if (device.place().address() instanceof Address.Pci pci && Kinds.seat(device) != Kinds.Seat.NONE) {
                take(device, pci);
            }
        }
    }

    private void take(Device device, Address.Pci pci) throws DomainException {
        if (pci.bus() == 0) {
            Set<Integer> functions = root.computeIfAbsent(pci.slot(), key -> new HashSet<>());
            if (!functions.add(pci.function())) {
                throw refuse(device, "the address " + pci + " is the board's own", "leave <address> out");
            }
            if (Kinds.isRootPort(device)
                    && (pci.function() == 0 ? pci.multifunction() : portSlots.contains(pci.slot()))) {
                portSlots.add(pci.slot());
            } else {
                portSlots.remove(pci.slot());
            }
            return;
        }
        Integer behind = ports.get(pci.bus());
        if (behind == null) {
            throw refuse(device, "the board has no bus " + pci.bus(), "use bus='0x00', or leave <address> out");
        }
        if (pci.slot() != 0) {
            throw refuse(device, "a root port has slot 0 alone", "use slot='0x00', or leave <address> out");
        }
        ports.put(pci.bus(), behind + 1);
    }

    private static Set<Integer> all() {
        Set<Integer> functions = new HashSet<>();
        for (int i = 0; i < FUNCTIONS; i++) {
            functions.add(i);
        }
        return functions;
    }

    private void givePlaces() throws DomainException {
        // Ports first: devices go behind them.
        for (int i = 0; i < devices.size(); i++) {
            if (Kinds.isRootPort(devices.get(i)) && !isPlaced(devices.get(i))) {
                devices.set(i, placed(devices.get(i), portAddress()));
            }
        }
        int known = devices.size();
        for (int i = 0; i < known; i++) {
            Device device = devices.get(i);
            Kinds.Seat seat = Kinds.seat(device);
            if (seat == Kinds.Seat.NONE || isPlaced(device)) {
                continue;
            }
            if (seat == Kinds.Seat.PORT && board == Board.Q35) {
                int port = freePort();
                ports.merge(port, 1, Integer::sum);
                devices.set(i, placed(device, new Address.Pci(0, port, 0, 0, false)));
            } else {
                devices.set(i, placed(device, new Address.Pci(0, 0, freeSlot(), 0, false)));
            }
        }
    }

    private static boolean isPlaced(Device device) {
        return device.place().address() instanceof Address.Pci;
    }

    private static Device placed(Device device, Address address) {
        return device.withPlace(device.place().withAddress(address));
    }

    private int freePort() throws DomainException {
        for (Map.Entry<Integer, Integer> port : ports.entrySet()) {
            if (port.getValue() == 0) {
                return port.getKey();
            }
        }
        return newPort();
    }

    private int newPort() throws DomainException {
        int index = 1;
        while (ports.containsKey(index)) {
            index++;
        }
        if (index > MAX_PORTS) {
            throw new DomainException(0, domain.name(), "it has more devices than a board has places", "use fewer");
        }
        ports.put(index, 0);
        Controller port = new Controller(Controller.Type.PCI, index, "pcie-root-port", 0, 0, Place.NONE, Kept.NOTHING);
        devices.add(placed(withId(port), portAddress()));
        return index;
    }

    /** Ports share slots, eight in one. */
    private Address.Pci portAddress() throws DomainException {
        for (int slot = 1; slot < SLOTS; slot++) {
            if (portSlots.contains(slot)) {
                Set<Integer> functions = root.getOrDefault(slot, Set.of());
                for (int function = 1; function < FUNCTIONS; function++) {
                    if (!functions.contains(function)) {
                        functions.add(function);
                        return new Address.Pci(0, 0, slot, function, false);
                    }
                }
            }
        }
        int slot = freeSlot();
        portSlots.add(slot);
        return new Address.Pci(0, 0, slot, 0, true);
    }

    /** A slot of the root of which nothing is taken. */
    private int freeSlot() throws DomainException {
        for (int slot = 1; slot < SLOTS; slot++) {
            if (!root.containsKey(slot)) {
                root.put(slot, new HashSet<>(Set.of(0)));
                return slot;
            }
        }
        throw new DomainException(0, domain.name(), "all slots of the board are taken", "use fewer devices");
    }

    private void addSpares(int wanted) throws DomainException {
        long free = ports.values().stream().filter(count -> count == 0).count();
        for (long i = free; i < wanted; i++) {
            int _ = newPort();
        }
    }

    /** The controllers by index, for those who write devices behind them. */
    static Map<Integer, String> buses(Domain domain, Controller.Type type) {
        Map<Integer, String> found = new HashMap<>();
        for (Controller controller : domain.devices(Controller.class)) {
            if (controller.type() == type && controller.place().alias() != null) {
                found.put(controller.index(), controller.place().alias());
            }
        }
        return found;
    }
}
