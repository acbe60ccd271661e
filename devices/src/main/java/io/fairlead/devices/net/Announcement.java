package io.fairlead.devices.net;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The frame by which a host tells switches where an address is now: a reverse ARP request (RFC 903), as QEMU sends it. */
final class Announcement {
    /** The shortest Ethernet frame, without its check sequence. */
    private static final int FRAME_BYTES = 60;

    private static final int TYPE_RARP = 0x8035;
    private static final int HARDWARE_ETHERNET = 1;
    private static final int PROTOCOL_IPV4 = 0x0800;
    private static final int REQUEST_REVERSE = 3;

    private static final ValueLayout.OfShort BIG_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private Announcement() {}

    /** To be closed by the caller. */
    static OutgoingFrame of(long mac) {
        MemorySegment frame = MemorySegment.ofArray(new byte[FRAME_BYTES]);
        DriverChoices.mac(frame, 0, ReceiveFilter.BROADCAST);
        DriverChoices.mac(frame, 6, mac);
        frame.set(BIG_SHORT, 12, (short) TYPE_RARP);
        frame.set(BIG_SHORT, 14, (short) HARDWARE_ETHERNET);
        frame.set(BIG_SHORT, 16, (short) PROTOCOL_IPV4);
        frame.set(ValueLayout.JAVA_BYTE, 18, (byte) 6);
        frame.set(ValueLayout.JAVA_BYTE, 19, (byte) 4);
        frame.set(BIG_SHORT, 20, (short) REQUEST_REVERSE);
        DriverChoices.mac(frame, 22, mac);
        DriverChoices.mac(frame, 32, mac);
        OutgoingFrame outgoing = new OutgoingFrame(0);
        outgoing.takeOwn(frame);
        return outgoing;
    }
}
