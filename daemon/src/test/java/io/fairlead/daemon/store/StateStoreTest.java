package io.fairlead.daemon.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

final class StateStoreTest {
    @TempDir
    private Path folder;

    private static ObjectNode object(long value) {
        return JsonNodeFactory.instance.objectNode().put("text", "ä\n\"" + value);
    }

    @Test
    void whatWasCommittedIsThereAgain() throws IOException {
        try (StateStore store = StateStore.open(folder)) {
            store.commit(Change.ofPut("device/a", object(1)));
            store.commit(new Change()
                    .put("device/b", object(2))
                    .put("machine/a", object(3))
                    .delete("device/a"));
        }
        try (StateStore store = StateStore.open(folder)) {
            assertThat(store.get("device/a")).isEmpty();
            assertThat(store.list("device/")).containsOnly(Map.entry("b", object(2)));
            assertThat(store.list("")).hasSize(2);
        }
    }

    @Test
    void whatIsHandedOutIsACopy() throws IOException {
        try (StateStore store = StateStore.open(folder)) {
            ObjectNode given = object(1);
            store.commit(Change.ofPut("a", given));
            given.put("text", "2");
            store.get("a").orElseThrow().put("text", "3");
            store.list("").get("a").put("text", "4");
            assertThat(store.get("a")).contains(object(1));
        }
    }

    @Test
    void oneProcessHasAFolder() throws IOException {
        try (StateStore _ = StateStore.open(folder)) {
            assertThatThrownBy(() -> StateStore.open(folder))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(folder.toString())
                    .hasMessageContaining("another daemon's");
        }
        StateStore.open(folder).close();
    }

    /** Cut off at any byte, it is the state before a change or after it, and goes on from there. */
    @Test
    void aChangeThatWasCutOffWasNeverMade() throws IOException {
        try (StateStore store = StateStore.open(folder)) {
            store.commit(Change.ofPut("a", object(1)));
            store.commit(Change.ofPut("a", object(2)));
        }
        Path file = folder.resolve(StateStore.FILE);
        byte[] whole = Files.readAllBytes(file);
        int header = JournalRecord.end(whole, 0);
        int first = JournalRecord.end(whole, header);
        for (int length = header; length <= whole.length; length++) {
            Files.write(file, Arrays.copyOf(whole, length));
            try (StateStore store = StateStore.open(folder)) {
                if (length < first) {
                    assertThat(store.get("a")).isEmpty();
                } else {
                    assertThat(store.get("a")).contains(object(length == whole.length ? 2 : 1));
                }
                store.commit(Change.ofPut("b", object(length)));
            }
            try (StateStore store = StateStore.open(folder)) {
                assertThat(store.get("b")).contains(object(length));
            }
        }
    }

    @Test
    void aDamagedRecordIsNotSkipped() throws IOException {
        try (StateStore store = StateStore.open(folder)) {
            store.commit(Change.ofPut("a", object(1)));
            store.commit(Change.ofPut("a", object(2)));
        }
        Path file = folder.resolve(StateStore.FILE);
        byte[] bytes = Files.readAllBytes(file);
        int place = JournalRecord.end(bytes, 0) + 20;
        bytes[place] ^= 1;
        Files.write(file, bytes);
        assertThatThrownBy(() -> StateStore.open(folder))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("damaged at byte " + JournalRecord.end(bytes, 0));
        assertThat(Files.readAllBytes(file)).isEqualTo(bytes);
    }

    @Test
    void whatIsNoStateIsRefused() throws IOException {
        Path file = folder.resolve(StateStore.FILE);
        for (String text : new String[] {"", "x", "hello\n", "00000000 {}\n"}) {
            Files.writeString(file, text);
            if (text.isEmpty()) {
                // A file is there as a whole or not at all, so that an empty one is not ours.
                assertThatThrownBy(() -> StateStore.open(folder)).isInstanceOf(IOException.class);
            } else {
                assertThatThrownBy(() -> StateStore.open(folder))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining(file.toString());
            }
        }
    }

    @Test
    void aNewerFormatIsRefused() throws IOException {
        byte[] header = JournalRecord.HEADER.encode();
        String json = new String(header, 9, header.length - 10, StandardCharsets.US_ASCII).replace("1", "2");
        java.util.zip.CRC32C checksum = new java.util.zip.CRC32C();
        checksum.update(json.getBytes(StandardCharsets.US_ASCII));
        Files.writeString(folder.resolve(StateStore.FILE), "%08x %s\n".formatted(checksum.getValue(), json));
        assertThatThrownBy(() -> StateStore.open(folder)).hasMessageContaining("newer Fairlead");
    }

    /** Random changes and restarts against a map; the journal does not grow with its history. */
    @Test
    void isAMapThatOutlastsRestarts() throws IOException {
        long seed = 20261123L;
        Random random = new Random(seed);
        Map<String, ObjectNode> model = new HashMap<>();
        StateStore store = StateStore.open(folder);
        String padding = "x".repeat(4000);
        for (int i = 0; i < 1500; i++) {
            Change change = new Change();
            for (int j = random.nextInt(4); j >= 0; j--) {
                String key = "k/" + random.nextInt(40);
                if (random.nextInt(3) == 0) {
                    change.delete(key);
                    model.remove(key);
                } else {
                    ObjectNode value = object(random.nextLong()).put("padding", padding);
                    change.put(key, value);
                    model.put(key, value);
                }
            }
            store.commit(change);
            if (random.nextInt(100) == 0) {
                store.close();
                store = StateStore.open(folder);
            }
        }
        assertThat(store.list("")).isEqualTo(model);
        assertThat(store.lengthBytes()).isLessThan(2L << 20);
        store.close();
    }
}
