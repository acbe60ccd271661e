package io.fairlead.vdpa.state;

import io.fairlead.vdpa.preflight.DeviceProfile;
import io.fairlead.virtio.InflightRequests;
import io.fairlead.virtio.QueueState;
import io.fairlead.virtio.parts.ControlCommand;
import java.util.Map;
import java.util.SortedMap;

/** Writes the payloads of sections; {@link SectionDecoder} shows their layouts. */
final class SectionEncoder {
    private SectionEncoder() {}

    static void encode(Section section, StateWriter out) throws StateFormatException {
        switch (section) {
            case Section.Parts parts -> parts(parts, out);
            case Section.QueueRuns runs -> queueRuns(runs, out);
            case Section.DeviceConfiguration config -> {
                out.u32(config.bytes().size());
                out.u32(config.generation());
                out.octets(config.bytes());
                out.octets(config.driverWritten());
            }
            case Section.Inflight inflight -> inflight(inflight, out);
            case Section.Completed completed -> completed(completed, out);
            case Section.ControlState control -> control(control, out);
            case Section.Identity identity -> map(identity.values(), out);
            case Section.Vendor vendor -> {
                out.text(vendor.vendor());
                out.text(vendor.vendorVersion());
                out.u32(vendor.data().size());
                out.octets(vendor.data());
            }
            case Section.Caps caps -> profile(caps.profile(), out);
            case Section.Statistics statistics -> statistics(statistics, out);
            case Section.TypeState type -> out.octets(type.data());
            case Section.Unknown unknown -> out.octets(unknown.data());
        }
    }

    private static void parts(Section.Parts parts, StateWriter out) throws StateFormatException {
        try {
            out.raw(parts.parts().encode());
        } catch (IllegalArgumentException e) {
            throw new StateFormatException("PARTS section", -1, String.valueOf(e.getMessage()));
        }
    }

    private static void queueRuns(Section.QueueRuns runs, StateWriter out) throws StateFormatException {
        out.u32(runs.queues().size());
        for (Section.QueueRun run : runs.queues()) {
            out.u16(run.queue());
            switch (run.state()) {
                case QueueState.Split split -> {
                    out.u8(SectionDecoder.SPLIT);
                    out.u8(0);
                    out.u16(split.availableIndex());
                    out.u16(split.usedIndex());
                }
                case QueueState.Packed packed -> {
                    out.u8(SectionDecoder.PACKED);
                    out.u8((packed.availableWrap() ? SectionDecoder.AVAILABLE_WRAP : 0)
                            | (packed.usedWrap() ? SectionDecoder.USED_WRAP : 0));
                    out.u16(packed.availableIndex());
                    out.u16(packed.usedIndex());
                }
            }
        }
    }

    private static void inflight(Section.Inflight inflight, StateWriter out) throws StateFormatException {
        out.u32(inflight.queues().size());
        for (Section.QueueInflight queue : inflight.queues()) {
            out.u16(queue.queue());
            switch (queue.requests()) {
                case InflightRequests.Split split -> {
                    out.u8(SectionDecoder.SPLIT);
                    out.u8(0);
                    out.u32(split.heads().size());
                    for (int head : split.heads()) {
                        out.u16(head);
                    }
                }
                case InflightRequests.Packed packed -> {
                    out.u8(SectionDecoder.PACKED);
                    out.u8(0);
                    out.u32(packed.chains().size());
                    for (InflightRequests.Chain chain : packed.chains()) {
                        out.u32(chain.descriptors().size());
                        for (InflightRequests.Descriptor descriptor : chain.descriptors()) {
                            out.u64(descriptor.address());
                            out.u32(descriptor.byteCount());
                            out.u16(descriptor.bufferId());
                            out.u16(descriptor.flags());
                        }
                    }
                }
            }
        }
    }

    private static void completed(Section.Completed completed, StateWriter out) throws StateFormatException {
        out.u32(completed.queues().size());
        for (Section.QueueCompleted queue : completed.queues()) {
            out.u16(queue.queue());
            out.u16(0);
            out.u32(queue.completions().size());
            for (Section.Completion completion : queue.completions()) {
                out.u16(completion.id());
                out.u16(0);
                out.u32(completion.writtenBytes());
            }
        }
    }

    private static void control(Section.ControlState control, StateWriter out) throws StateFormatException {
        out.u32(control.commands().size());
        for (ControlCommand command : control.commands()) {
            out.u8(command.commandClass());
            out.u8(command.command());
            out.u16(0);
            out.u32(command.data().size());
            out.octets(command.data());
        }
    }

    private static void map(SortedMap<String, String> values, StateWriter out) throws StateFormatException {
        out.u32(values.size());
        for (Map.Entry<String, String> entry : values.entrySet()) {
            out.text(entry.getKey());
            out.text(entry.getValue());
        }
    }

    private static void profile(DeviceProfile profile, StateWriter out) throws StateFormatException {
        out.text(profile.name());
        out.text(profile.vendor());
        out.u32(profile.deviceId());
        out.u64(profile.deviceFeatures());
        out.u64(profile.driverFeatures());
        out.u32(profile.queues().size());
        for (DeviceProfile.Queue queue : profile.queues()) {
            out.u16(queue.maxSize());
            out.u16(queue.sizeInUse());
        }
        out.u32(profile.config().size());
        out.octets(profile.config());
        map(profile.identity(), out);
        out.u32(profile.capabilities().size());
        for (String capability : profile.capabilities()) {
            out.text(capability);
        }
    }

    private static void statistics(Section.Statistics statistics, StateWriter out) throws StateFormatException {
        out.u32(statistics.queues().size());
        for (Section.QueueCounters queue : statistics.queues()) {
            out.u64(queue.kicks());
            out.u64(queue.signals());
            out.u64(queue.requests());
            out.u64(queue.failedRequests());
            out.u64(queue.readBytes());
            out.u64(queue.writtenBytes());
            out.u64(queue.guestFaults());
        }
    }
}
