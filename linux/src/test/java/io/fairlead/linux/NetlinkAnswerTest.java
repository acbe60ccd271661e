package io.fairlead.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NetlinkAnswerTest {
    private static final int FAMILY = 0x20;
    private static final int SEQUENCE = 7;
    private static final byte[] REQUEST = request();

    private static byte[] request() {
        byte[] attributes = new NetlinkPayload().text(4, "vdpa0").u16(13, 1500).bytes();
        return NetlinkBytes.buffer(20 + attributes.length)
                .putInt(20 + attributes.length)
                .putShort((short) FAMILY)
                .putShort((short) 5)
                .putInt(SEQUENCE)
                .putInt(0)
                .putInt(0x0103)
                .put(attributes)
                .array();
    }

    private static NetlinkAnswer answer(boolean dump) {
        return new NetlinkAnswer("CMD", REQUEST, FAMILY, SEQUENCE, dump);
    }

    private static NetlinkBytes bytes() {
        return new NetlinkBytes(SEQUENCE);
    }

    @Test
    void anAnswerEndsWithItsAcknowledgement() throws IOException {
        NetlinkAnswer answer = answer(false);
        NetlinkPayload payload =
                new NetlinkPayload().text(4, "vdpa0").u32(5, -1).u64(17, 1L << 63);
        assertThat(answer.take(bytes().generic(FAMILY, 0, 3, payload).bytes())).isFalse();
        assertThat(answer.take(bytes().error(0, 0, 44, 0, new NetlinkPayload()).bytes()))
                .isTrue();
        assertThat(answer.messages()).hasSize(1);
        GenericNetlink.Message message = answer.messages().getFirst();
        assertThat(message.command()).isEqualTo(3);
        assertThat(message.attributes().text(4)).contains("vdpa0");
        assertThat(message.attributes().u32(5)).hasValue(0xffffffffL);
        assertThat(message.attributes().u64(17)).hasValue(1L << 63);
        assertThat(message.attributes().u16(9)).isEmpty();
        assertThatThrownBy(() -> message.attributes().u16(5))
                .isInstanceOf(IOException.class)
                .hasMessage("netlink attribute 5 has 4 bytes instead of 2");
    }

    @Test
    void aListComesInManyDatagramsAndEndsWithDone() throws IOException {
        NetlinkAnswer answer = answer(true);
        for (int i = 0; i < 3; i++) {
            assertThat(answer.take(bytes().generic(
                                    FAMILY, NetlinkLayout.NLM_F_MULTI, 1, new NetlinkPayload().text(4, "a" + i))
                            .generic(FAMILY, NetlinkLayout.NLM_F_MULTI, 1, new NetlinkPayload().text(4, "b" + i))
                            .bytes()))
                    .isFalse();
        }
        assertThat(answer.take(bytes().done(0, 0, new NetlinkPayload()).bytes()))
                .isTrue();
        assertThat(answer.messages()).hasSize(6);
        assertThat(answer.interrupted()).isFalse();
    }

    @Test
    void aListThatChangedMeanwhileIsTold() throws IOException {
        NetlinkAnswer answer = answer(true);
        assertThat(answer.take(bytes().generic(
                                FAMILY,
                                NetlinkLayout.NLM_F_MULTI | NetlinkLayout.NLM_F_DUMP_INTR,
                                1,
                                new NetlinkPayload())
                        .done(0, 0, new NetlinkPayload())
                        .bytes()))
                .isTrue();
        assertThat(answer.interrupted()).isTrue();
    }

    @Test
    void whatBelongsToAnEarlierRequestIsSkipped() throws IOException {
        NetlinkAnswer answer = answer(false);
        byte[] old = new NetlinkBytes(SEQUENCE - 1)
                .error(-Errno.EBUSY, 0, 20, 0, new NetlinkPayload())
                .bytes();
        assertThat(answer.take(old)).isFalse();
        assertThat(answer.take(bytes().error(0, 0, 20, 0, new NetlinkPayload()).bytes()))
                .isTrue();
    }

    @Test
    void theKernelsOwnWordsAndTheAttributeComeAlong() {
        NetlinkPayload told = new NetlinkPayload()
                .text(NetlinkLayout.NLMSGERR_ATTR_MSG, "integer out of range")
                .u32(NetlinkLayout.NLMSGERR_ATTR_OFFS, 20 + 12);
        for (int repeated : new int[] {0, REQUEST.length - 16}) {
            int flags = NetlinkLayout.NLM_F_ACK_TLVS | (repeated == 0 ? NetlinkLayout.NLM_F_CAPPED : 0);
            NetlinkException refusal = catchThrowableOfType(
                    NetlinkException.class,
                    () -> answer(false)
                            .take(bytes().error(-Errno.ERANGE, flags, REQUEST.length, repeated, told)
                                    .bytes()));
            assertThat(refusal.errno()).isEqualTo(Errno.ERANGE);
            assertThat(refusal.kernelMessage()).contains("integer out of range");
            assertThat(refusal.wrongAttribute()).hasValue(13);
            assertThat(refusal.missingAttribute()).isEmpty();
            assertThat(refusal)
                    .hasMessage("CMD: ERANGE (Numerical result out of range); the kernel says: integer out of range");
        }
        NetlinkException withoutWords = catchThrowableOfType(
                NetlinkException.class,
                () -> answer(false)
                        .take(bytes().error(-Errno.EPERM, 0, REQUEST.length, 0, new NetlinkPayload())
                                .bytes()));
        assertThat(withoutWords.kernelMessage()).isEmpty();
        assertThat(withoutWords.wrongAttribute()).isEmpty();
    }

    @Test
    void aListMayEndWithARefusal() {
        NetlinkException refusal = catchThrowableOfType(
                NetlinkException.class,
                () -> answer(true)
                        .take(bytes().done(
                                        -Errno.EAGAIN,
                                        NetlinkLayout.NLM_F_ACK_TLVS,
                                        new NetlinkPayload().text(NetlinkLayout.NLMSGERR_ATTR_MSG, "later"))
                                .bytes()));
        assertThat(refusal.errno()).isEqualTo(Errno.EAGAIN);
        assertThat(refusal.kernelMessage()).contains("later");
    }

    @Test
    void anOffsetOutsideOfTheRequestPointsAtNothing() {
        for (int offset : new int[] {0, 19, REQUEST.length - 3, Integer.MAX_VALUE, -1}) {
            NetlinkPayload told = new NetlinkPayload().u32(NetlinkLayout.NLMSGERR_ATTR_OFFS, offset);
            int flags = NetlinkLayout.NLM_F_ACK_TLVS | NetlinkLayout.NLM_F_CAPPED;
            NetlinkException refusal = catchThrowableOfType(
                    NetlinkException.class,
                    () -> answer(false)
                            .take(bytes().error(-Errno.EINVAL, flags, REQUEST.length, 0, told)
                                    .bytes()));
            assertThat(refusal.wrongAttribute()).as("offset %d", offset).isEmpty();
        }
    }

    @Test
    void whatMakesNoSenseIsRefused() {
        NetlinkPayload none = new NetlinkPayload();
        byte[] whole = bytes().generic(FAMILY, 0, 3, none).bytes();
        for (int length = 1; length < whole.length; length++) {
            refused(false, Arrays.copyOf(whole, length));
        }
        refused(
                false,
                bytes().message(NetlinkLayout.NLMSG_OVERRUN, 0, new byte[4]).bytes());
        refused(false, bytes().message(FAMILY + 1, 0, new byte[4]).bytes());
        refused(false, bytes().message(FAMILY, 0, new byte[3]).bytes());
        refused(false, bytes().message(FAMILY, 0, new byte[6]).bytes());
        refused(false, bytes().message(FAMILY, 0, new byte[8]).bytes());
        refused(false, bytes().done(0, 0, none).bytes());
        refused(true, bytes().error(0, 0, 20, 0, none).bytes());
        refused(false, bytes().error(5, 0, 20, 0, none).bytes());
        refused(false, bytes().error(Integer.MIN_VALUE, 0, 20, 0, none).bytes());
        refused(
                false,
                bytes().message(NetlinkLayout.NLMSG_ERROR, 0, new byte[19]).bytes());
        refused(true, bytes().message(NetlinkLayout.NLMSG_DONE, 0, new byte[3]).bytes());
        refused(
                false,
                bytes().error(-1, NetlinkLayout.NLM_F_ACK_TLVS, 1 << 20, 0, none)
                        .bytes());
        refused(
                false,
                bytes().error(-1, NetlinkLayout.NLM_F_ACK_TLVS, -1, 0, none).bytes());
    }

    private static void refused(boolean dump, byte[] datagram) {
        assertThatThrownBy(() -> answer(dump).take(datagram))
                .isExactlyInstanceOf(IOException.class)
                .message()
                .isNotBlank();
    }

    @Test
    void anAnswerWithoutEndIsRefused() throws IOException {
        NetlinkAnswer answer = answer(true);
        byte[] large = bytes().generic(FAMILY, 0, 1, new NetlinkPayload().add(1, new byte[60_000]))
                .bytes();
        for (long sent = large.length; sent <= NetlinkAnswer.MAX_BYTES; sent += large.length) {
            assertThat(answer.take(large)).isFalse();
        }
        assertThatThrownBy(() -> answer.take(large)).hasMessageContaining("does not end");
    }

    @Test
    void anyChangeOfAnAnswerGivesAResultOrAnIOException() {
        byte[] list = bytes().generic(
                        FAMILY,
                        NetlinkLayout.NLM_F_MULTI,
                        1,
                        new NetlinkPayload().text(4, "vdpa0").u32(5, 1).u64(17, -1))
                .generic(FAMILY, NetlinkLayout.NLM_F_MULTI, 1, new NetlinkPayload().text(4, "vdpa1"))
                .done(0, 0, new NetlinkPayload())
                .bytes();
        byte[] refusal = bytes().error(
                        -Errno.EINVAL,
                        NetlinkLayout.NLM_F_ACK_TLVS,
                        REQUEST.length,
                        REQUEST.length - 16,
                        new NetlinkPayload()
                                .text(NetlinkLayout.NLMSGERR_ATTR_MSG, "words")
                                .u32(NetlinkLayout.NLMSGERR_ATTR_OFFS, 32))
                .bytes();
        Random random = new Random(20261123);
        int results = 0;
        int exceptions = 0;
        for (int i = 0; i < 200_000; i++) {
            boolean dump = random.nextBoolean();
            byte[] mutated = mutate(dump ? list : refusal, random);
            try {
                NetlinkAnswer answer = answer(dump);
                var _ = answer.take(mutated);
                List<Object> read = new ArrayList<>();
                for (GenericNetlink.Message message : answer.messages()) {
                    read.add(message.attributes().text(4));
                    read.add(message.attributes().u32(5));
                    read.add(message.attributes().u64(17));
                }
                assertThat(read).hasSize(3 * answer.messages().size());
                results++;
            } catch (IOException e) {
                assertThat(e.getMessage()).isNotBlank();
                exceptions++;
            }
        }
        assertThat(results).isPositive();
        assertThat(exceptions).isPositive();
    }

    private static byte[] mutate(byte[] valid, Random random) {
        byte[] mutated =
                random.nextInt(4) == 0 ? Arrays.copyOf(valid, random.nextInt(valid.length + 20)) : valid.clone();
        for (int i = random.nextInt(4); i > 0 && mutated.length > 0; i--) {
            mutated[random.nextInt(mutated.length)] = (byte) random.nextInt(256);
        }
        return mutated;
    }
}
