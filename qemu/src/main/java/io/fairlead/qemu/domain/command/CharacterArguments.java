package io.fairlead.qemu.domain.command;

import io.fairlead.qemu.domain.CharacterDevice;
import io.fairlead.qemu.domain.CharacterDevice.Backend;
import io.fairlead.qemu.domain.CharacterDevice.Role;
import io.fairlead.qemu.domain.Controller;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import java.nio.file.Path;
import java.util.Map;

/** Serial ports, consoles and channels. One machine. */
final class CharacterArguments {
    private final Arguments out;
    private final boolean hasSerial;
    private int nextIndex;

    CharacterArguments(Arguments out) {
        this.out = out;
        this.hasSerial = hasSerial(out.domain());
    }

    private static boolean hasSerial(Domain domain) {
        return domain.devices(CharacterDevice.class).stream().anyMatch(device -> device.role() == Role.SERIAL);
    }

    /** A console on the serial port is that port under another name, where there is one. */
    private static boolean isSecondName(CharacterDevice device, boolean hasSerial) {
        return device.role() == Role.CONSOLE && device.targetType().equals("serial") && hasSerial;
    }

    void add(CharacterDevice device) throws DomainException {
        if (isSecondName(device, hasSerial)) {
            return;
        }
        String id = Arguments.id(device);
        String chardev = "char-" + id;
        backend(device, chardev);
        Map<String, Object> description;
        if (device.targetType().equals("virtio")) {
            description = out.device(device.role() == Role.CONSOLE ? "virtconsole" : "virtserialport", device);
            String controller = DomainPlan.buses(out.domain(), Controller.Type.VIRTIO_SERIAL)
                    .get(0);
            description.put("bus", controller + ".0");
            if (device.targetName() != null) {
                description.put("name", device.targetName());
            }
        } else if (device.targetType().equals("pci-serial")) {
            description = out.device("pci-serial", device);
        } else {
            if (nextIndex > 3) {
                throw out.refuse(device, "a machine has 4 serial ports", "use <target type='pci-serial'>");
            }
            description = out.device("isa-serial", device);
            description.put("index", nextIndex);
            nextIndex++;
        }
        description.put("chardev", chardev);
        out.json("-device", description);
    }

    private void backend(CharacterDevice device, String chardev) throws DomainException {
        switch (device.backend()) {
            case Backend.Pty() -> out.serialPort(chardev);
            case Backend.Null() -> out.chardev("null", chardev);
            case Backend.FileBackend(String path, boolean append) ->
                out.chardev("file", chardev, Arguments.option("path", path), "append=" + (append ? "on" : "off"));
            case Backend.Unix(String path, boolean listen) -> {
                Path socket = path == null ? out.host().socket(Arguments.id(device), device) : Path.of(path);
                socket(chardev, listen, Arguments.option("path", socket));
            }
            case Backend.Tcp tcp ->
                socket(
                        chardev,
                        tcp.listen(),
                        Arguments.option("host", tcp.host()),
                        "port=" + tcp.port(),
                        "telnet=" + (tcp.telnet() ? "on" : "off"));
        }
    }

    private void socket(String chardev, boolean listen, String... options) {
        String[] all = java.util.Arrays.copyOf(options, options.length + 1);
        all[options.length] = listen ? "server=on,wait=off" : "server=off";
        out.chardev("socket", chardev, all);
    }
}
