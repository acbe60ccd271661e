package io.fairlead.daemon.machine;

import io.fairlead.daemon.http.ApiException;
import io.fairlead.qemu.domain.Device;
import io.fairlead.qemu.domain.Domain;
import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Filesystem;
import io.fairlead.qemu.domain.Notice;
import io.fairlead.qemu.domain.VdpaDevices;
import io.fairlead.qemu.domain.VdpaSource;
import io.fairlead.qemu.domain.command.DomainPlan;
import io.fairlead.qemu.domain.format.DomainXml;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * A domain as a machine is kept: complete, with devices of the daemon under their own names. The machine's device has the
 * id in QEMU that it has at every host.
 *
 * @param notices what its user should know
 */
record Definition(Domain domain, List<Notice> notices) {
    Definition {
        notices = List.copyOf(notices);
    }

    /** Of a user's document. */
    static Definition parse(String document) throws DomainException {
        DomainXml.Parsed parsed = DomainXml.parse(document);
        Domain domain = parsed.domain();
        UUID uuid = domain.uuid() == null ? UUID.randomUUID() : domain.uuid();
        List<Device> devices = new ArrayList<>();
        for (Device device : domain.devices()) {
            devices.add(named(device, domain.name(), uuid));
        }
        DomainPlan.Planned planned =
                DomainPlan.complete(domain.withUuid(uuid).withDevices(devices), DomainPlan.SPARE_PORTS);
        List<Notice> notices = new ArrayList<>(parsed.notices());
        notices.addAll(planned.notices());
        return new Definition(planned.domain(), notices);
    }

    /** What is wrong with a document, as the API says it. */
    static ApiException refused(DomainException e) {
        return new ApiException(
                400,
                "bad-domain",
                (e.line() > 0 ? "line " + e.line() + ", " : "") + e.path() + ": " + e.reason(),
                e.remedy());
    }

    /** A device with the alias that it has to have. */
    static Device named(Device device, String machine, UUID uuid) throws DomainException {
        VdpaSource source = VdpaDevices.source(device);
        String alias = device.place().alias();
        if (source != null && !source.isPath() && source.mode() == VdpaSource.Mode.MANAGED) {
            if (alias == null) {
                return device.withPlace(device.place().withAlias(source.dev()));
            }
            if (!alias.equals(source.dev())) {
                throw new DomainException(
                        0,
                        machine + "/" + alias,
                        "the device %s has another alias than its name".formatted(source.dev()),
                        "leave <alias> out");
            }
        }
        // A device that is made for it needs a name that no other machine's has.
        return device instanceof Filesystem fs && fs.socket() == null && alias == null
                ? device.withPlace(device.place()
                        .withAlias("fs-" + fs.tag().replaceAll("[^A-Za-z0-9]", "") + "-"
                                + uuid.toString().substring(0, 8)))
                : device;
    }
}
