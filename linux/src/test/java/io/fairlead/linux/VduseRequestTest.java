package io.fairlead.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class VduseRequestTest {
    private static final int ID = 77;

    private final MemorySegment message = MemorySegment.ofArray(new long[VduseRequest.BYTES / Long.BYTES]);

    private VduseRequest parse(int type) {
        message.set(JAVA_INT, VduseLayout.REQUEST_TYPE, type);
        message.set(JAVA_INT, VduseLayout.REQUEST_REQUEST_ID, ID);
        return VduseRequest.of(message);
    }

    @Test
    void eachMessageIsRead() {
        message.set(JAVA_INT, 24, 3);
        message.set(JAVA_INT, 28, 1);
        assertThat(parse(0)).isEqualTo(new VduseRequest.GetQueueState(ID, 3));
        assertThat(parse(3)).isEqualTo(new VduseRequest.SetGroupAddressSpace(ID, 3, 1));
        assertThat(parse(4)).isEqualTo(new VduseRequest.SetQueueReady(ID, 3, true));
        assertThat(parse(5)).isEqualTo(new VduseRequest.Suspend(ID));
        message.set(JAVA_BYTE, 24, (byte) 0x8f);
        assertThat(parse(1)).isEqualTo(new VduseRequest.SetStatus(ID, 0x8f));
        message.set(JAVA_LONG, 24, 0x1000);
        message.set(JAVA_LONG, 32, -1);
        message.set(JAVA_INT, 40, 2);
        assertThat(parse(2)).isEqualTo(new VduseRequest.UpdateIotlb(ID, 0x1000, -1, 2));
    }

    @Test
    void whatNobodyKnowsIsSaidSo() {
        assertThat(parse(6)).isEqualTo(new VduseRequest.Unknown(ID, 6));
        assertThat(parse(-1)).isEqualTo(new VduseRequest.Unknown(ID, -1));
    }
}
