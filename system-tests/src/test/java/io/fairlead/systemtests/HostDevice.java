package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.vdpa.DeviceStatistics;
import io.fairlead.vdpa.QueueStatistics;
import io.fairlead.vdpa.VdpaDevice;
import io.fairlead.vdpa.relay.RelayDevice;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A host's device as its machine gets it.
 *
 * @param device closed by who uses it
 * @param software the device within, where it is one of Fairlead's own
 * @param relay the device itself, where it is behind one
 */
record HostDevice(
        VdpaDevice device,
        @Nullable VdpaDevice software,
        @Nullable RelayDevice relay) {
    /** Of a device that has to answer all before it can be stopped. */
    private static final Duration DRAIN_DEADLINE = Duration.ofSeconds(10);

    static HostDevice relayed(VdpaDevice device, @Nullable VdpaDevice software, HostPlace place) {
        RelayDevice relay = new RelayDevice(device, place.loops(), DRAIN_DEADLINE);
        return new HostDevice(relay, software, relay);
    }

    /** Requests that went through the relay's rings so far; 0 without one. */
    long relayedRequests() {
        return relayed().requests();
    }

    private QueueStatistics.Snapshot relayed() {
        return (relay == null ? DeviceStatistics.ofQueues(0) : relay.relayStatistics()).total();
    }

    /** That the device served, by the relay where it has one, and nothing failed. */
    void check(String kind) {
        QueueStatistics.Snapshot served =
                (software == null ? DeviceStatistics.ofQueues(0) : software.statistics()).total();
        for (QueueStatistics.Snapshot statistics : new QueueStatistics.Snapshot[] {served, relayed()}) {
            assertThat(statistics.guestFaults()).isZero();
            assertThat(statistics.failedRequests()).isZero();
        }
        if (software != null) {
            assertThat(served.requests()).isPositive();
        }
        if (relay != null) {
            Lab.report("%s: by the relay %s", kind, relayed());
            assertThat(relayedRequests()).isPositive();
        }
    }
}
