package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DescriptorChainTest {
    private static final int REGION_BYTES = 64;
    private static final int REGIONS = 509;

    private final MemorySegment host = Arena.ofAuto().allocate((long) REGION_BYTES * REGIONS, 8);
    private final MemorySegment iovec = Arena.ofAuto().allocate(DescriptorChain.IOVEC_BYTES, 8);
    private final DescriptorChain chain = new DescriptorChain(iovec);
    private final GuestMemory memory = memory();

    /** Regions that adjoin in the guest and lie in reverse order in the host. */
    private GuestMemory memory() {
        List<GuestMemory.Region> regions = new ArrayList<>();
        for (int i = 0; i < REGIONS; i++) {
            long offset = (long) REGION_BYTES * (REGIONS - 1 - i);
            regions.add(new GuestMemory.Region((long) REGION_BYTES * i, host.asSlice(offset, REGION_BYTES)));
        }
        return new GuestMemory(regions, () -> {});
    }

    private byte guestByte(long address) {
        long region = address / REGION_BYTES;
        return host.get(ValueLayout.JAVA_BYTE, REGION_BYTES * (REGIONS - 1 - region) + address % REGION_BYTES);
    }

    private byte[] guestBytes(List<Long> addresses) {
        byte[] bytes = new byte[addresses.size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = guestByte(addresses.get(i));
        }
        return bytes;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void copiesAcrossSegmentsAndRegions(long seed) throws Exception {
        Random random = new Random(seed);
        for (int i = 0; i < host.byteSize(); i++) {
            host.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt());
        }
        for (int round = 0; round < 200; round++) {
            chain.begin(memory, 1);
            List<Long> readable = add(random, false);
            List<Long> writable = add(random, true);
            assertThat(chain.readableBytes()).isEqualTo(readable.size());
            assertThat(chain.writableBytes()).isEqualTo(writable.size());

            int from = random.nextInt(readable.size());
            int count = random.nextInt(readable.size() - from + 1);
            MemorySegment buffer = MemorySegment.ofArray(new byte[count + 3]);
            chain.read(from, buffer, 3, count);
            assertThat(buffer.asSlice(3).toArray(ValueLayout.JAVA_BYTE))
                    .as("seed %d round %d", seed, round)
                    .isEqualTo(guestBytes(readable.subList(from, from + count)));

            int at = random.nextInt(readable.size());
            ByteBuffer numbers = ByteBuffer.wrap(guestBytes(readable)).order(ByteOrder.LITTLE_ENDIAN);
            if (at + Integer.BYTES <= readable.size()) {
                assertThat(chain.readInt(at))
                        .as("seed %d round %d", seed, round)
                        .isEqualTo(numbers.getInt(at));
            }
            if (at + Long.BYTES <= readable.size()) {
                assertThat(chain.readLong(at))
                        .as("seed %d round %d", seed, round)
                        .isEqualTo(numbers.getLong(at));
            } else {
                assertThatThrownBy(() -> chain.readLong(at)).isInstanceOf(IndexOutOfBoundsException.class);
            }
            chain.writeLastByte((byte) ~guestByte(writable.getLast()));
            byte last = guestByte(writable.getLast());
            chain.writeLastByte((byte) (last + 1));
            assertThat(guestByte(writable.getLast())).isEqualTo((byte) (last + 1));

            int to = random.nextInt(writable.size());
            int length = random.nextInt(writable.size() - to + 1);
            MemorySegment source = MemorySegment.ofArray(new byte[length]);
            source.fill((byte) round);
            chain.write(to, source, 0, length);
            assertThat(guestBytes(writable.subList(to, to + length)))
                    .as("seed %d round %d", seed, round)
                    .isEqualTo(source.toArray(ValueLayout.JAVA_BYTE));
        }
    }

    /** Adds a few buffers and returns the guest address of each of their bytes. */
    private List<Long> add(Random random, boolean writable) throws GuestFaultException {
        List<Long> bytes = new ArrayList<>();
        int buffers = 1 + random.nextInt(12);
        for (int i = 0; i < buffers; i++) {
            int length = 1 + random.nextInt(random.nextInt(4) == 0 ? 300 : 40);
            long address = random.nextInt(REGION_BYTES * REGIONS - length);
            chain.add(address, length, writable);
            for (int k = 0; k < length; k++) {
                bytes.add(address + k);
            }
        }
        return bytes;
    }

    @Test
    void standsAsIovec() throws Exception {
        chain.begin(memory, 1);
        chain.add(10, 20, false);
        chain.add(REGION_BYTES * 508L, 64, true);
        assertThat(chain.iovecAddress(1)).isEqualTo(iovec.address() + 16);
        assertThat(iovec.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(host.address() + 508L * REGION_BYTES + 10);
        assertThat(iovec.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(20);
        assertThat(iovec.get(ValueLayout.JAVA_LONG, 16)).isEqualTo(host.address());
        assertThat(iovec.get(ValueLayout.JAVA_LONG, 24)).isEqualTo(64);
        // Those of the next request take their place.
        chain.begin(memory, 2);
        chain.add(7, 5, true);
        assertThat(chain.iovecAddress(0)).isEqualTo(iovec.address());
        assertThat(iovec.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(chain.segmentHostAddress(0));
        assertThat(chain.segmentHostAddress(0)).isEqualTo(host.address() + 508L * REGION_BYTES + 7);
        assertThat(iovec.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(5);
    }

    @Test
    void copyingOverTheEndIsAnError() throws Exception {
        chain.begin(memory, 1);
        chain.add(10, 20, false);
        chain.add(100, 8, true);
        MemorySegment buffer = MemorySegment.ofArray(new byte[100]);
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> chain.read(0, buffer, 0, 21));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> chain.read(20, buffer, 0, 1));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> chain.read(-1, buffer, 0, 5));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> chain.write(1, buffer, 0, 8));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> chain.read(0, buffer, 0, -1));
    }

    @Test
    void numbersAndStatusNeedBytesToBeIn() {
        chain.begin(memory, 1);
        assertThatThrownBy(() -> chain.readInt(0)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> chain.readLong(-1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> chain.writeLastByte((byte) 0)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void totalsAbove4GiBAreAFault() throws Exception {
        // Nobody touches the memory that is not there: only lengths count here.
        MemorySegment large = MemorySegment.ofAddress(0x1000).reinterpret(1L << 40);
        GuestMemory all = new GuestMemory(List.of(new GuestMemory.Region(0, large)), () -> {});
        chain.begin(all, 1);
        chain.add(0, 0xffff_ffffL, false);
        chain.add(0, 1, true);
        assertThat(chain.readableBytes() + chain.writableBytes()).isEqualTo(1L << 32);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> chain.add(0, 1, true));
    }

    @Test
    void aBufferOverTooManyRegionsIsAFault() throws Exception {
        chain.begin(memory, 1);
        chain.add(0, (long) REGION_BYTES * REGIONS, true);
        chain.add(0, (long) REGION_BYTES * REGIONS, true);
        assertThat(chain.segmentCount()).isEqualTo(2 * REGIONS);
        assertThatExceptionOfType(GuestFaultException.class)
                .isThrownBy(() -> chain.add(0, (long) REGION_BYTES * 7, true));
    }

    @Test
    void anotherTableWithFewerRegionsFollows() throws Exception {
        chain.begin(memory, 1);
        chain.add(REGION_BYTES * 500L, 1, true);
        GuestMemory small = new GuestMemory(List.of(new GuestMemory.Region(0x100000, host)), () -> {});
        chain.begin(small, 2);
        chain.add(0x100004, 1, true);
        assertThat(chain.segmentHostAddress(0)).isEqualTo(host.address() + 4);
        assertThatExceptionOfType(GuestFaultException.class).isThrownBy(() -> chain.add(REGION_BYTES * 500L, 1, true));
    }

    @Test
    void refusesTooLittleRoom() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new DescriptorChain(iovec.asSlice(0, DescriptorChain.IOVEC_BYTES - 16)));
    }

    @Test
    void keepsAnAttachment() {
        assertThat(chain.attachment()).isNull();
        chain.attachment("slot");
        assertThat(chain.attachment()).isEqualTo("slot");
    }
}
