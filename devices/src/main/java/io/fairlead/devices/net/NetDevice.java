package io.fairlead.devices.net;

import io.fairlead.devices.base.QueueHandler;
import io.fairlead.devices.base.QueueRunner;
import io.fairlead.devices.base.SoftwareDevice;
import io.fairlead.vdpa.ConfigSpace;
import io.fairlead.vdpa.StateMismatchException;
import io.fairlead.vdpa.loop.EventLoopGroup;
import io.fairlead.virtio.DeviceId;
import io.fairlead.virtio.Feature;
import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetControl;
import io.fairlead.virtio.parts.ControlCommand;
import java.io.IOException;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A network card (virtio 1.4, 5.1) at a {@link Switch} or with a TAP device of the host: receive and transmit queues in
 * pairs, then one control queue.
 *
 * <p>Checksums and segmentation of long packets are passed on to a receiver that takes them, and done here for one that
 * does not. UFO is not offered: it needs IP fragments, which drivers gave up; USO does its work.
 *
 * <p>The data path needs no control queue, as front-ends exist that keep it to themselves (QEMU's vhost-user). Then all
 * frames go to the driver, on whichever queue pairs run.
 *
 * <p>A request to send is over at once and a receive buffer is held only while a frame needs it, so that nothing is ever in
 * flight when a queue has stopped.
 */
public final class NetDevice extends SoftwareDevice {
    /** Everything that a driver may leave to us. */
    private static final long HOST_OFFLOADS = NetConfig.F_CSUM
            | NetConfig.F_HOST_TSO4
            | NetConfig.F_HOST_TSO6
            | NetConfig.F_HOST_ECN
            | NetConfig.F_HOST_USO;

    /** Everything that a driver may take from us. */
    private static final long GUEST_OFFLOADS = NetConfig.F_GUEST_CSUM
            | NetConfig.F_GUEST_TSO4
            | NetConfig.F_GUEST_TSO6
            | NetConfig.F_GUEST_ECN
            | NetConfig.F_GUEST_USO4
            | NetConfig.F_GUEST_USO6;

    private static final long CONTROL = NetConfig.F_CTRL_VQ
            | NetConfig.F_CTRL_RX
            | NetConfig.F_CTRL_RX_EXTRA
            | NetConfig.F_CTRL_VLAN
            | NetConfig.F_CTRL_MAC_ADDR
            | NetConfig.F_CTRL_GUEST_OFFLOADS
            | NetConfig.F_GUEST_ANNOUNCE;

    private static final int FULL_DUPLEX = 1;
    private static final long BYTES_PER_MEGABIT = 1_000_000 / 8;

    private final NetSettings settings;
    private final long ownMac;
    private final EventLoopGroup loops;
    private final NetPort port;
    private final NetBackend backend;
    private volatile DriverChoices choices;
    private volatile long bytesPerSecond;
    private final RateBucket toDriver = new RateBucket(() -> bytesPerSecond);
    private final RateBucket fromDriver = new RateBucket(() -> bytesPerSecond);

    /** What the driver is told from its next reset on, as an MTU that it was told does not change (5.1.4.1). */
    private volatile int mtuBytes;

    /** The driver came from another device, whose place in the network others still believe in. */
    private volatile boolean announcementDue;

    private NetDevice(
            String name, NetSettings settings, long mac, NetPort port, NetBackend backend, EventLoopGroup loops) {
        super(
                name,
                DeviceId.NET,
                features(settings),
                2 * settings.queuePairs() + 1,
                settings.rings().queueSize(),
                config(settings, mac),
                loops);
        this.settings = settings;
        this.ownMac = mac;
        this.loops = loops;
        this.port = port;
        this.backend = backend;
        choices = new DriverChoices(mac, settings.queuePairs());
        mtuBytes = settings.mtuBytes();
        rateMegabits(settings.rateMegabits());
    }

    /** Connects a device to what frames go to and come from. */
    @FunctionalInterface
    interface Connector {
        NetBackend connect(NetPort port) throws IOException;
    }

    /** @param loops serve the queues; closed by their owner after the device */
    static NetDevice create(String name, NetSettings settings, Connector connector, EventLoopGroup loops)
            throws IOException {
        long mac = settings.macFor(name);
        NetPort port = new NetPort(ReceiveFilter.all(mac), settings.linkUp(), settings.effectiveMtuBytes());
        NetBackend backend = connector.connect(port);
        try {
            return new NetDevice(name, settings, mac, port, backend, loops);
        } catch (RuntimeException e) {
            backend.close();
            throw e;
        }
    }

    static long features(NetSettings settings) {
        long features = RING_FEATURES
                | HOST_OFFLOADS
                | GUEST_OFFLOADS
                | CONTROL
                | NetConfig.F_MRG_RXBUF
                | NetConfig.F_MAC
                | NetConfig.F_STATUS
                | NetConfig.F_SPEED_DUPLEX
                | (settings.mtuBytes() != 0 ? NetConfig.F_MTU : 0)
                | (settings.queuePairs() > 1 ? NetConfig.F_MQ : 0);
        return features & settings.rings().features();
    }

    private static ConfigSpace config(NetSettings settings, long mac) {
        ConfigSpace config = new ConfigSpace(NetConfig.BYTES, new BitSet());
        config.update(bytes -> {
            DriverChoices.mac(bytes, NetConfig.MAC.offset(), mac);
            NetConfig.STATUS.write(bytes, settings.linkUp() ? NetConfig.STATUS_LINK_UP : 0);
            NetConfig.MAX_VIRTQUEUE_PAIRS.write(bytes, settings.queuePairs());
            NetConfig.MTU_BYTES.write(bytes, settings.mtuBytes());
            NetConfig.SPEED_MEGABITS.write(bytes, settings.speedMegabits());
            NetConfig.DUPLEX.write(bytes, FULL_DUPLEX);
        });
        return config;
    }

    /** As it was made. */
    NetSettings settings() {
        return settings;
    }

    @Override
    public Set<Capability> capabilities() {
        EnumSet<Capability> all = EnumSet.allOf(Capability.class);
        if (!settings.deviceState()) {
            all.remove(Capability.STREAM_STATE);
        }
        return all;
    }

    /** Its {@code mac}. */
    @Override
    public Map<String, String> identity() {
        return Map.of("mac", NetSettings.macText(ownMac));
    }

    // ---- queues ----

    /** Without MQ the control queue follows the first pair, however many there are (5.1.2). */
    private int controlQueue(long features) {
        return Feature.has(features, NetConfig.F_MQ) ? 2 * settings.queuePairs() : 2;
    }

    @Override
    protected QueueHandler handler(int queue, QueueRunner runner, long features) {
        if (Feature.has(features, NetConfig.F_CTRL_VQ) && queue == controlQueue(features)) {
            return new ControlHandler(runner, (commandClass, command, data) -> command(commandClass, command, data));
        }
        if (queue == 2 * settings.queuePairs()) {
            return new ControlHandler(runner, (_, _, _) -> false);
        }
        int pair = queue / 2;
        RateLimit rate = new RateLimit(queue % 2 == 0 ? toDriver : fromDriver, runner.loop(), runner::wake);
        if (queue % 2 == 0) {
            tellAll(features);
            if (pair == 0 && announcementDue) {
                announcementDue = false;
                announceDriver(features);
            }
            return new ReceiveHandler(runner, port, backend.source(pair, runner), rate, runner.queueSize(), features);
        }
        return new TransmitHandler(runner, port, backend.sink(pair), rate, features);
    }

    /** One command of the control queue, on its loop. */
    private boolean command(int commandClass, int command, byte[] data) {
        long features = driverFeatures();
        if (!isNegotiated(commandClass, command, features)) {
            return false;
        }
        if (commandClass == NetControl.ANNOUNCE) {
            announced();
            return true;
        }
        if (!choices.apply(commandClass, command, data, features)) {
            return false;
        }
        if (commandClass == NetControl.MAC && command == NetControl.MAC_ADDR_SET) {
            showMac(choices.mac());
        }
        tellAll(features);
        return true;
    }

    private static boolean isNegotiated(int commandClass, int command, long features) {
        long needed = switch (commandClass) {
            case NetControl.RX -> command <= NetControl.RX_ALLMULTI ? NetConfig.F_CTRL_RX : NetConfig.F_CTRL_RX_EXTRA;
            case NetControl.MAC -> command == NetControl.MAC_ADDR_SET ? NetConfig.F_CTRL_MAC_ADDR : NetConfig.F_CTRL_RX;
            case NetControl.VLAN -> NetConfig.F_CTRL_VLAN;
            case NetControl.ANNOUNCE -> NetConfig.F_GUEST_ANNOUNCE;
            case NetControl.MQ -> NetConfig.F_MQ;
            case NetControl.GUEST_OFFLOADS -> NetConfig.F_CTRL_GUEST_OFFLOADS;
            default -> -1;
        };
        return Feature.has(features, needed)
                && (commandClass != NetControl.ANNOUNCE || command == NetControl.ANNOUNCE_ACK);
    }

    /** Brings the driver's choices to where frames are looked at. */
    private void tellAll(long features) {
        boolean hasControl = Feature.has(features, NetConfig.F_CTRL_VQ);
        port.filter = hasControl && Feature.has(features, NetConfig.F_CTRL_RX)
                ? choices.filter(Feature.has(features, NetConfig.F_CTRL_VLAN))
                : ReceiveFilter.all(ownMac);
        port.offloads = choices.offloads(features);
        backend.offloadsChanged();
        backend.pairsInUse(hasControl && Feature.has(features, NetConfig.F_MQ) ? choices.pairs() : -1);
    }

    private void showMac(long mac) {
        config().update(bytes -> DriverChoices.mac(bytes, NetConfig.MAC.offset(), mac));
    }

    @Override
    protected void driverReset() {
        choices = new DriverChoices(ownMac, settings.queuePairs());
        announcementDue = false;
        showMac(ownMac);
        config().update(bytes -> NetConfig.MTU_BYTES.write(bytes, mtuBytes));
        status(port.linkUp, false);
        tellAll(0);
    }

    // ---- migration ----

    @Override
    public synchronized List<ControlCommand> controlCommands() {
        return choices.commands();
    }

    @Override
    public synchronized void controlCommands(List<ControlCommand> commands) throws StateMismatchException {
        DriverChoices taken = new DriverChoices(ownMac, settings.queuePairs());
        ControlCommand refused = taken.applyAll(commands, deviceFeatures());
        if (refused != null) {
            throw new StateMismatchException(
                    "%s cannot do command %d of class %d with %d bytes of data, which the driver gave"
                            .formatted(
                                    name(),
                                    refused.command(),
                                    refused.commandClass(),
                                    refused.data().size()));
        }
        choices = taken;
        announcementDue = !commands.isEmpty();
        showMac(taken.mac());
    }

    /** Asks the driver to make itself known, where it can, and has the network learn its address in any case. On a loop. */
    private void announceDriver(long features) {
        if (Feature.has(features, NetConfig.F_GUEST_ANNOUNCE | NetConfig.F_CTRL_VQ | NetConfig.F_STATUS)) {
            status(port.linkUp, true);
            configChanged();
        }
        backend.announce(choices.mac());
    }

    private void announced() {
        status(port.linkUp, false);
    }

    /** The front-end says that the driver, at an address, is here now. */
    @Override
    public void announce(long mac) throws IOException {
        var _ = loops.next().call(() -> {
            backend.announce(mac);
            return true;
        });
    }

    // ---- changes while it runs ----

    private void status(boolean up, boolean announcing) {
        int bits = (up ? NetConfig.STATUS_LINK_UP : 0) | (announcing ? NetConfig.STATUS_ANNOUNCE : 0);
        config().update(bytes -> NetConfig.STATUS.write(bytes, bits));
    }

    /** Takes the link up or down: while it is down no frame passes either way. Any thread. */
    public void linkUp(boolean up) {
        if (port.linkUp != up) {
            port.linkUp = up;
            status(up, false);
            configChanged();
        }
    }

    public boolean isLinkUp() {
        return port.linkUp;
    }

    /**
     * Changes the longest packet that reaches the driver, at once; the driver is told when it sets the device up again, where
     * it was told of one at all. Any thread.
     *
     * @param bytes as of {@link NetSettings#mtuBytes}, not 0
     */
    public void mtuBytes(int bytes) {
        port.mtuBytes = bytes;
        if (settings.mtuBytes() != 0) {
            mtuBytes = bytes;
        }
    }

    /** Changes the most that all queues together carry in each direction, Mbit/s; 0 for no limit. Any thread. */
    public void rateMegabits(int megabits) {
        bytesPerSecond = megabits * BYTES_PER_MEGABIT;
    }

    /** Frames that were dropped, and why. Any thread. */
    public NetDrops drops() {
        return port.drops.snapshot();
    }

    @Override
    public Map<String, Long> typeCounters() {
        return drops().counters();
    }

    @Override
    protected void release() throws IOException {
        backend.close();
    }
}
