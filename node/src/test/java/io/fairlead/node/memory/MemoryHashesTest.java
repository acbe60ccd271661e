package io.fairlead.node.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fairlead.node.channel.Message;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The stream of hashes: what it finds, and what is refused of it. */
class MemoryHashesTest {
    private static final int PAGE = (int) MemoryPiece.PAGE_BYTES;

    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("hashes");
    }

    private static byte[] random(int byteCount) {
        byte[] bytes = new byte[byteCount];
        new Random(byteCount).nextBytes(bytes);
        return bytes;
    }

    private static Message sent(long address, long byteCount, int hashBytes) {
        return new Message(
                "memory",
                Message.of("memory")
                        .with("address", address)
                        .with("byteCount", byteCount)
                        .fields(),
                List.of(new byte[hashBytes]));
    }

    private static MemoryPiece piece(long address, long byteCount) throws IOException {
        return MemoryPiece.of(sent(address, byteCount, (int) ((byteCount + PAGE - 1) / PAGE * 8)));
    }

    /** Compares in bites of some pages, as memory comes from a QEMU. */
    private static MemoryDifferences compare(MemoryPiece piece, byte[] found, int biteBytes) {
        MemoryDifferences differences = new MemoryDifferences();
        for (int offset = 0; offset < found.length; offset += biteBytes) {
            piece.compare(
                    offset,
                    MemorySegment.ofArray(found).asSlice(offset, Math.min(biteBytes, found.length - offset)),
                    differences);
        }
        return differences;
    }

    @Test
    void whatWasSentAndKeptFindsEveryPageThatDiffersAndNoOther() throws IOException {
        byte[] low = random(700 * PAGE);
        byte[] high = random(3 * PAGE + 100);
        MemoryHashes hashes = MemoryHashes.create(file(), low.length);
        hashes.add(
                MemoryPiece.of(MemoryPiece.hash(0, MemorySegment.ofArray(low)).into(Message.of("memory"))), false);
        assertThat(hashes.isComplete()).isFalse();
        hashes.add(MemoryPiece.hash(0x100000000L, MemorySegment.ofArray(high)), true);
        assertThat(hashes.isComplete()).isTrue();

        List<MemoryPiece> read = new ArrayList<>();
        MemoryHashes.read(file(), read::add);
        assertThat(read).extracting(MemoryPiece::address).containsExactly(0L, 0x100000000L);
        assertThat(read).extracting(MemoryPiece::byteCount).containsExactly((long) low.length, (long) high.length);
        for (int bitePages : new int[] {1, 7, 256, 1000}) {
            assertThat(compare(read.get(0), low, bitePages * PAGE).isEmpty()).isTrue();
            assertThat(compare(read.get(1), high, bitePages * PAGE).isEmpty()).isTrue();
        }
        for (int changed : new int[] {0, 1, 255, 256, 511, 699}) {
            byte[] other = low.clone();
            other[changed * PAGE + changed] ^= 1;
            assertThat(compare(read.get(0), other, 7 * PAGE))
                    .hasToString("1 page of memory differs from the source's: 0x%x-0x%x"
                            .formatted(changed * PAGE, changed * PAGE + PAGE - 1));
        }
        byte[] other = high.clone();
        other[2 * PAGE] ^= 1;
        other[3 * PAGE + 99] ^= 1;
        MemoryDifferences differences = compare(read.get(1), other, PAGE);
        assertThat(differences.pages()).isEqualTo(2);
        assertThat(differences)
                .hasToString("2 pages of memory differ from the source's: 0x100002000-0x%x"
                        .formatted(0x100000000L + high.length - 1));
    }

    @Test
    void manyDifferencesAreCountedAndNotAllListed() {
        MemoryDifferences differences = new MemoryDifferences();
        for (int i = 0; i < 1000; i++) {
            differences.add(2L * i * PAGE, PAGE);
        }
        assertThat(differences.pages()).isEqualTo(1000);
        assertThat(differences.toString())
                .startsWith("1000 pages")
                .endsWith("0x1e000-0x1efff and 984 ranges more")
                .hasSizeLessThan(500);
    }

    @Test
    void piecesThatAreNoneAreRefused() {
        long max = MemoryPiece.MAX_BYTES;
        long[][] addressBytesHashes = {
            {-1, PAGE, 8},
            {0, 0, 0},
            {0, -1, 8},
            {0, -PAGE, 0},
            {0, PAGE, 0},
            {0, PAGE, 7},
            {0, PAGE, 16},
            {0, PAGE + 1, 8},
            {0, max + 1, (int) (max / PAGE * 8) + 8},
            {0, Long.MAX_VALUE, 8},
            {Long.MAX_VALUE, PAGE, 8},
            {Long.MIN_VALUE, PAGE, 8},
        };
        for (long[] each : addressBytesHashes) {
            assertThatThrownBy(() -> MemoryPiece.of(sent(each[0], each[1], (int) each[2])))
                    .as(Arrays.toString(each))
                    .isInstanceOf(IOException.class);
        }
        assertThatThrownBy(() -> MemoryPiece.of(Message.of("memory"))).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> MemoryPiece.of(
                        new Message("memory", Message.of("memory").fields(), List.of(new byte[8], new byte[8]))))
                .isInstanceOf(IOException.class);
        assertThatThrownBy(() -> MemoryPiece.of(
                        new Message("memory", Message.of("memory").fields(), List.of(new byte[8]))))
                .isInstanceOf(IOException.class);
    }

    @Test
    void piecesOutOfOrderOrAfterTheEndAreRefused() throws IOException {
        MemoryHashes hashes = MemoryHashes.create(file(), 1 << 20);
        hashes.add(piece(PAGE, 2 * PAGE), false);
        for (long address : new long[] {0, PAGE, 3 * PAGE - 1}) {
            assertThatThrownBy(() -> hashes.add(piece(address, PAGE), false))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("after that below 0x3000");
        }
        hashes.add(piece(3 * PAGE, PAGE), true);
        assertThatThrownBy(() -> hashes.add(piece(8 * PAGE, PAGE), false))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("after the last piece");
        List<Long> kept = new ArrayList<>();
        MemoryHashes.read(file(), piece -> kept.add(piece.address()));
        assertThat(kept).containsExactly((long) PAGE, 3L * PAGE);
    }

    @Test
    void moreThanTheMachineHasIsRefusedAndNotKept() throws IOException {
        MemoryHashes hashes = MemoryHashes.create(file(), 1 << 20);
        long most = MemoryPiece.MAX_BYTES + (1 << 20);
        hashes.add(piece(0, MemoryPiece.MAX_BYTES), false);
        hashes.add(piece(MemoryPiece.MAX_BYTES, 1 << 20), false);
        long fileBytes = Files.size(file());
        assertThatThrownBy(() -> hashes.add(piece(most, 1), true))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("which the machine has not");
        assertThat(Files.size(file())).isEqualTo(fileBytes);
        assertThat(hashes.isComplete()).isFalse();
    }

    @Test
    void aFileCutShortIsNotTakenForAWhole() throws IOException {
        MemoryHashes hashes = MemoryHashes.create(file(), 1 << 20);
        hashes.add(piece(0, 5 * PAGE), false);
        hashes.add(piece(5 * PAGE, PAGE), true);
        byte[] whole = Files.readAllBytes(file());
        for (int length = 0; length < whole.length; length++) {
            Files.write(file(), Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> MemoryHashes.read(file(), _ -> {}))
                    .as("%d bytes", length)
                    .isInstanceOfAny(EOFException.class, IOException.class);
        }
    }
}
