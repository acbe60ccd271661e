package io.fairlead.vdpa.state;

import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.RingLayout;
import io.fairlead.virtio.parts.DevicePart;
import io.fairlead.virtio.parts.DeviceParts;
import io.fairlead.virtio.parts.Octets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What holds between the sections of a state, whatever the device. */
final class StateRules {
    private final StateHeader header;
    private final List<Section> sections;

    private StateRules(StateHeader header, List<Section> sections) {
        this.header = header;
        this.sections = sections;
    }

    static void check(StateHeader header, List<Section> sections) throws StateFormatException {
        StateRules rules = new StateRules(header, sections);
        rules.header();
        rules.kinds();
        DeviceProfile profile = rules.require(Section.Caps.class, "CAPS").profile();
        rules.profile(profile);
        Map<Integer, DevicePart.QueueConfiguration> queues = rules.parts(profile);
        rules.statistics(profile);
        if (header.isFinal()) {
            Section.QueueRuns runs = rules.require(Section.QueueRuns.class, "VQ_RUN");
            QueueRules.check(
                    profile.isPacked(),
                    queues,
                    runs,
                    DeviceState.find(sections, Section.Inflight.class),
                    DeviceState.find(sections, Section.Completed.class));
        }
    }

    private static StateFormatException wrong(String section, String what) {
        return new StateFormatException(section, -1, what);
    }

    private <S extends Section> S require(Class<S> type, String name) throws StateFormatException {
        Optional<S> section = DeviceState.find(sections, type);
        if (section.isEmpty()) {
            throw wrong(
                    "state",
                    "a %s state needs a %s section".formatted(header.isFinal() ? "final" : "provisional", name));
        }
        return section.get();
    }

    private void header() throws StateFormatException {
        if (header.deviceId() < 1 || header.deviceId() > 0xffff) {
            throw wrong("header", "%d is no virtio device id".formatted(Integer.toUnsignedLong(header.deviceId())));
        }
        if (header.epoch() < 0) {
            throw wrong("header", "epoch %d is out of bounds".formatted(Integer.toUnsignedLong(header.epoch())));
        }
        if (header.minor() == DeviceState.MINOR && header.extension().size() > 0) {
            throw wrong("header", "version %d.%d has no extension".formatted(DeviceState.MAJOR, header.minor()));
        }
    }

    private void kinds() throws StateFormatException {
        if (sections.size() > DeviceState.MAX_SECTIONS) {
            throw wrong("header", "%d sections are more than %d".formatted(sections.size(), DeviceState.MAX_SECTIONS));
        }
        int last = -1;
        for (Section section : sections) {
            if (section.kind() <= last) {
                throw wrong(
                        section.name() + " section",
                        "comes twice, or behind that of a higher kind (%d)".formatted(last));
            }
            last = section.kind();
            boolean ofStopped = section instanceof Section.QueueRuns
                    || section instanceof Section.Inflight
                    || section instanceof Section.Completed
                    || section instanceof Section.TypeState;
            if (ofStopped && !header.isFinal()) {
                throw wrong(section.name() + " section", "a provisional state has none: the device may have run");
            }
        }
    }

    private void profile(DeviceProfile profile) throws StateFormatException {
        Section.DeviceConfiguration config = require(Section.DeviceConfiguration.class, "DEV_CFG");
        Section.Identity identity = require(Section.Identity.class, "IDENTITY");
        if (profile.deviceId() != header.deviceId()) {
            throw wrong(
                    "CAPS section",
                    "device id %d is not the header's %d".formatted(profile.deviceId(), header.deviceId()));
        }
        if (!profile.config().equals(config.bytes())) {
            throw wrong("CAPS section", "its configuration space is not that of DEV_CFG");
        }
        if (!profile.identity().equals(identity.values())) {
            throw wrong("CAPS section", "its identity %s is not %s".formatted(profile.identity(), identity.values()));
        }
        if ((profile.driverFeatures() & ~profile.deviceFeatures()) != 0) {
            throw wrong(
                    "CAPS section",
                    "the driver took features 0x%x that the device does not offer"
                            .formatted(profile.driverFeatures() & ~profile.deviceFeatures()));
        }
        for (int i = 0; i < profile.queues().size(); i++) {
            DeviceProfile.Queue queue = profile.queues().get(i);
            if (queue.maxSize() > RingLayout.MAX_SIZE || queue.sizeInUse() > queue.maxSize()) {
                throw wrong(
                        "CAPS section",
                        "queue %d cannot have %d of %d entries".formatted(i, queue.sizeInUse(), queue.maxSize()));
            }
        }
        mask(config);
    }

    private static void mask(Section.DeviceConfiguration config) throws StateFormatException {
        Octets mask = config.driverWritten();
        int byteCount = config.bytes().size();
        if (mask.size() != (byteCount + Byte.SIZE - 1) / Byte.SIZE) {
            throw wrong(
                    "DEV_CFG section", "%d bytes of mask for %d of configuration".formatted(mask.size(), byteCount));
        }
        for (int i = byteCount; i < mask.size() * Byte.SIZE; i++) {
            if (config.isDriverWritten(i)) {
                throw wrong("DEV_CFG section", "the mask names byte %d of %d".formatted(i, byteCount));
            }
        }
    }

    /** Returns the queues that a driver set up. */
    private Map<Integer, DevicePart.QueueConfiguration> parts(DeviceProfile profile) throws StateFormatException {
        DeviceParts parts = require(Section.Parts.class, "PARTS").parts();
        Optional<DevicePart.DriverFeatures> driver = parts.find(DevicePart.DriverFeatures.class);
        if (driver.isEmpty() || parts.find(DevicePart.Status.class).isEmpty()) {
            throw wrong("PARTS section", "the driver's features and the status are needed");
        }
        features(driver.get().words(), profile.driverFeatures());
        Optional<DevicePart.DeviceFeatures> device = parts.find(DevicePart.DeviceFeatures.class);
        if (device.isPresent()) {
            features(device.get().words(), profile.deviceFeatures());
        }
        Map<Integer, DevicePart.QueueConfiguration> enabled = new HashMap<>();
        for (DevicePart.QueueConfiguration queue : parts.queues()) {
            if (queue.queue() >= profile.queues().size()) {
                throw wrong(
                        "PARTS section",
                        "queue %d of a device with %d"
                                .formatted(queue.queue(), profile.queues().size()));
            }
            int sizeInUse = profile.queues().get(queue.queue()).sizeInUse();
            if (sizeInUse != (queue.enabled() ? queue.size() : 0)) {
                throw wrong(
                        "PARTS section",
                        "queue %d of %d entries has %d in CAPS".formatted(queue.queue(), queue.size(), sizeInUse));
            }
            if (queue.enabled()) {
                if (!RingLayout.isValidSize(queue.size(), profile.isPacked())) {
                    throw wrong(
                            "PARTS section", "queue %d cannot have %d entries".formatted(queue.queue(), queue.size()));
                }
                enabled.put(queue.queue(), queue);
            }
        }
        for (int i = 0; i < profile.queues().size(); i++) {
            if (profile.queues().get(i).sizeInUse() != 0 && !enabled.containsKey(i)) {
                throw wrong("PARTS section", "queue %d is in use and has no configuration".formatted(i));
            }
        }
        return enabled;
    }

    private static void features(List<Long> words, long expected) throws StateFormatException {
        for (int i = 0; i < words.size(); i++) {
            if (words.get(i) != (i == 0 ? expected : 0)) {
                throw wrong(
                        "PARTS section",
                        "feature word %d is 0x%x, in CAPS 0x%x".formatted(i, words.get(i), i == 0 ? expected : 0));
            }
        }
    }

    private void statistics(DeviceProfile profile) throws StateFormatException {
        Optional<Section.Statistics> statistics = DeviceState.find(sections, Section.Statistics.class);
        if (statistics.isPresent()
                && statistics.get().queues().size() != profile.queues().size()) {
            throw wrong(
                    "STATS section",
                    "counters of %d queues, of a device with %d"
                            .formatted(
                                    statistics.get().queues().size(),
                                    profile.queues().size()));
        }
    }
}
