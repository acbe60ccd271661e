package io.fairlead.bench.blk;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One thing that is measured.
 *
 * @param cache what the page cache does
 * @param client how the client waits
 * @param operation what is done
 * @param depth requests in flight
 */
record Workload(Cache cache, Client client, Operation operation, int depth) {
    /** What the page cache does. */
    enum Cache {
        /** The whole file is in it. */
        CACHED,
        /** It is used, and nothing of the file is in it when a run begins. */
        COLD,
        /** The servers pass it by (O_DIRECT). */
        DIRECT
    }

    /** How the client waits for completions. */
    enum Client {
        /** It looks again and again, and needs no notification. */
        POLL,
        /** It sleeps until an eventfd wakes it. */
        EVENT
    }

    /** What is done, in which order, with how many bytes at once. */
    enum Operation {
        RANDOM_READ_4K("randread-4k", false, true, 4 << 10),
        RANDOM_WRITE_4K("randwrite-4k", true, true, 4 << 10),
        READ_128K("read-128k", false, false, 128 << 10),
        WRITE_128K("write-128k", true, false, 128 << 10);

        private final String label;
        private final boolean write;
        private final boolean random;
        private final int blockBytes;

        Operation(String label, boolean write, boolean random, int blockBytes) {
            this.label = label;
            this.write = write;
            this.random = random;
            this.blockBytes = blockBytes;
        }

        boolean isWrite() {
            return write;
        }

        boolean isRandom() {
            return random;
        }

        int blockBytes() {
            return blockBytes;
        }
    }

    static final int MAX_DEPTH = 32;

    private static final int[] DEPTHS = {1, MAX_DEPTH};

    /** Such as {@code cached/poll/randread-4k/qd32}. */
    String name() {
        return "%s/%s/%s/qd%d".formatted(label(cache), label(client), operation.label, depth);
    }

    private static String label(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    /** All of them, in the order in which they are measured. */
    static List<Workload> all() {
        List<Workload> all = new ArrayList<>();
        for (Cache cache : Cache.values()) {
            for (Client client : Client.values()) {
                for (Operation operation : Operation.values()) {
                    for (int depth : DEPTHS) {
                        if (isMeasured(cache, client, operation)) {
                            all.add(new Workload(cache, client, operation, depth));
                        }
                    }
                }
            }
        }
        return all;
    }

    /** A cold cache means something to random reads only: a sequential run would soon fill it or reach the end. */
    private static boolean isMeasured(Cache cache, Client client, Operation operation) {
        return cache != Cache.COLD || (client == Client.POLL && operation == Operation.RANDOM_READ_4K);
    }
}
