package io.fairlead.devices.net;

import io.fairlead.virtio.NetConfig;
import io.fairlead.virtio.NetControl;
import io.fairlead.virtio.parts.ControlCommand;
import io.fairlead.virtio.parts.Octets;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a driver set by the control queue (virtio 1.4, 5.1.6.5), as far as it is to be kept. Thread-safe, by one
 * lock: a queue may start while the control queue runs.
 */
final class DriverChoices {
    /** Addresses that are kept of one table: one more than are compared, which says that there were too many. */
    private static final int MAX_KEPT = ReceiveFilter.MAX_ADDRESSES + 1;

    private static final int MAC_BYTES = 6;
    private static final int MAX_VLAN = 4095;
    private static final int RX_MODES = 6;

    private static final long OFFLOADS = NetConfig.F_GUEST_CSUM
            | NetConfig.F_GUEST_TSO4
            | NetConfig.F_GUEST_TSO6
            | NetConfig.F_GUEST_ECN
            | NetConfig.F_GUEST_UFO
            | NetConfig.F_GUEST_USO4
            | NetConfig.F_GUEST_USO6;

    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final long defaultMac;
    private final int maxPairs;

    /** Until a driver says what it wants, it gets all (as every device of this type does it). */
    private int modes = ReceiveFilter.PROMISC;

    private long mac;
    private long[] unicast = {};
    private long[] multicast = {};
    private final BitSet vlans = new BitSet();
    private int pairs = 1;

    /** Feature bits; -1 for what was negotiated. */
    private long offloads = -1;

    /**
     * @param mac the device's address
     * @param maxPairs queue pairs of the device
     */
    DriverChoices(long mac, int maxPairs) {
        this.defaultMac = mac;
        this.mac = mac;
        this.maxPairs = maxPairs;
    }

    /** @param filtersVlans whether the driver took F_CTRL_VLAN */
    synchronized ReceiveFilter filter(boolean filtersVlans) {
        return new ReceiveFilter(modes, mac, unicast, multicast, filtersVlans ? (BitSet) vlans.clone() : (BitSet) null);
    }

    synchronized long mac() {
        return mac;
    }

    synchronized int pairs() {
        return pairs;
    }

    /** Offloads among those that were negotiated. */
    synchronized long offloads(long negotiated) {
        return negotiated & OFFLOADS & offloads;
    }

    /**
     * Does one command; where it returns false nothing has changed.
     *
     * @param negotiated which offloads the driver may choose from
     */
    synchronized boolean apply(int commandClass, int command, byte[] data, long negotiated) {
        MemorySegment bytes = MemorySegment.ofArray(data);
        return switch (commandClass) {
            case NetControl.RX -> rx(command, data);
            case NetControl.MAC ->
                switch (command) {
                    case NetControl.MAC_TABLE_SET -> macTable(bytes);
                    case NetControl.MAC_ADDR_SET -> macAddress(bytes);
                    default -> false;
                };
            case NetControl.VLAN -> vlan(command, bytes);
            case NetControl.MQ -> command == NetControl.MQ_VQ_PAIRS_SET && pairs(bytes);
            case NetControl.GUEST_OFFLOADS ->
                command == NetControl.GUEST_OFFLOADS_SET && guestOffloads(bytes, negotiated);
            default -> false;
        };
    }

    private boolean rx(int command, byte[] data) {
        if (command >= RX_MODES || data.length != 1 || data[0] < 0 || data[0] > 1) {
            return false;
        }
        modes = data[0] == 1 ? modes | 1 << command : modes & ~(1 << command);
        return true;
    }

    private boolean macTable(MemorySegment bytes) {
        long unicastBytes = tableBytes(bytes, 0);
        if (unicastBytes < 0) {
            return false;
        }
        long multicastBytes = tableBytes(bytes, unicastBytes);
        if (multicastBytes < 0 || unicastBytes + multicastBytes != bytes.byteSize()) {
            return false;
        }
        unicast = table(bytes, 0);
        multicast = table(bytes, unicastBytes);
        return true;
    }

    /** Bytes of a count and so many addresses; -1 where they are not there. */
    private static long tableBytes(MemorySegment bytes, long offset) {
        if (bytes.byteSize() - offset < Integer.BYTES) {
            return -1;
        }
        long length = Integer.BYTES + Integer.toUnsignedLong(bytes.get(LE_INT, offset)) * MAC_BYTES;
        return length > bytes.byteSize() - offset ? -1 : length;
    }

    private static long[] table(MemorySegment bytes, long offset) {
        int count = Math.min(bytes.get(LE_INT, offset), MAX_KEPT);
        long[] table = new long[count];
        for (int i = 0; i < count; i++) {
            table[i] = mac(bytes, offset + Integer.BYTES + (long) i * MAC_BYTES);
        }
        return table;
    }

    static long mac(MemorySegment bytes, long offset) {
        long mac = 0;
        for (int i = 0; i < MAC_BYTES; i++) {
            mac = mac << 8 | (bytes.get(ValueLayout.JAVA_BYTE, offset + i) & 0xff);
        }
        return mac;
    }

    static void mac(MemorySegment bytes, long offset, long mac) {
        for (int i = 0; i < MAC_BYTES; i++) {
            bytes.set(ValueLayout.JAVA_BYTE, offset + i, (byte) (mac >>> (8 * (MAC_BYTES - 1 - i))));
        }
    }

    private boolean macAddress(MemorySegment bytes) {
        if (bytes.byteSize() != MAC_BYTES) {
            return false;
        }
        mac = mac(bytes, 0);
        return true;
    }

    private boolean vlan(int command, MemorySegment bytes) {
        if (command > NetControl.VLAN_DEL || bytes.byteSize() != Short.BYTES) {
            return false;
        }
        int vlan = bytes.get(LE_SHORT, 0) & 0xffff;
        if (vlan > MAX_VLAN) {
            return false;
        }
        vlans.set(vlan, command == NetControl.VLAN_ADD);
        return true;
    }

    private boolean pairs(MemorySegment bytes) {
        if (bytes.byteSize() != Short.BYTES) {
            return false;
        }
        int count = bytes.get(LE_SHORT, 0) & 0xffff;
        if (count < 1 || count > maxPairs) {
            return false;
        }
        pairs = count;
        return true;
    }

    private boolean guestOffloads(MemorySegment bytes, long negotiated) {
        if (bytes.byteSize() != Long.BYTES || (bytes.get(LE_LONG, 0) & ~(negotiated & OFFLOADS)) != 0) {
            return false;
        }
        offloads = bytes.get(LE_LONG, 0);
        return true;
    }

    // ---- to another device ----

    /** The commands that bring choices of a device that was just reset to these. */
    synchronized List<ControlCommand> commands() {
        List<ControlCommand> commands = new ArrayList<>();
        for (int mode = 0; mode < RX_MODES; mode++) {
            boolean on = (modes & 1 << mode) != 0;
            if (on != (ReceiveFilter.PROMISC & 1 << mode) > 0) {
                commands.add(command(NetControl.RX, mode, MemorySegment.ofArray(new byte[] {(byte) (on ? 1 : 0)})));
            }
        }
        if (mac != defaultMac) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[MAC_BYTES]);
            mac(bytes, 0, mac);
            commands.add(command(NetControl.MAC, NetControl.MAC_ADDR_SET, bytes));
        }
        if (unicast.length > 0 || multicast.length > 0) {
            commands.add(command(NetControl.MAC, NetControl.MAC_TABLE_SET, tables()));
        }
        vlans.stream().forEach(vlan -> commands.add(command(NetControl.VLAN, NetControl.VLAN_ADD, number(vlan))));
        if (pairs != 1) {
            commands.add(command(NetControl.MQ, NetControl.MQ_VQ_PAIRS_SET, number(pairs)));
        }
        if (offloads != -1) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[Long.BYTES]);
            bytes.set(LE_LONG, 0, offloads);
            commands.add(command(NetControl.GUEST_OFFLOADS, NetControl.GUEST_OFFLOADS_SET, bytes));
        }
        return commands;
    }

    private MemorySegment tables() {
        MemorySegment bytes =
                MemorySegment.ofArray(new byte[2 * Integer.BYTES + MAC_BYTES * (unicast.length + multicast.length)]);
        long at = 0;
        for (long[] table : new long[][] {unicast, multicast}) {
            bytes.set(LE_INT, at, table.length);
            at += Integer.BYTES;
            for (long address : table) {
                mac(bytes, at, address);
                at += MAC_BYTES;
            }
        }
        return bytes;
    }

    private static MemorySegment number(int value) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[Short.BYTES]);
        bytes.set(LE_SHORT, 0, (short) value);
        return bytes;
    }

    private static ControlCommand command(int commandClass, int command, MemorySegment data) {
        return new ControlCommand(commandClass, command, Octets.of(data.toArray(ValueLayout.JAVA_BYTE)));
    }

    /**
     * Does what another device's driver did.
     *
     * @return the first command that cannot be done; null where all were
     */
    @Nullable
    ControlCommand applyAll(List<ControlCommand> commands, long negotiated) {
        for (ControlCommand command : commands) {
            if (!apply(command.commandClass(), command.command(), command.data().toArray(), negotiated)) {
                return command;
            }
        }
        return null;
    }
}
