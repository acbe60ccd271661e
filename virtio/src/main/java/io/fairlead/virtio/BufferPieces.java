package io.fairlead.virtio;

/** Checks on the pieces of a buffer that a driver adds. */
final class BufferPieces {
    private static final long MAX_BYTES = 0xffff_ffffL;

    private BufferPieces() {}

    /**
     * Checks all pieces.
     *
     * @return bytes of the device-writable ones
     */
    static long check(int[] lengths, int readableCount, int writableCount) {
        if (readableCount < 0 || writableCount < 0 || readableCount + writableCount == 0) {
            throw new IllegalArgumentException(
                    "a buffer of %d readable and %d writable pieces".formatted(readableCount, writableCount));
        }
        long readable = sum(lengths, 0, readableCount);
        long writable = sum(lengths, readableCount, readableCount + writableCount);
        if (readable + writable > MAX_BYTES) {
            throw new IllegalArgumentException(
                    "a buffer of %d bytes, more than %d".formatted(readable + writable, MAX_BYTES));
        }
        return writable;
    }

    private static long sum(int[] lengths, int from, int to) {
        long bytes = 0;
        for (int i = from; i < to; i++) {
            if (lengths[i] == 0) {
                throw new IllegalArgumentException("piece %d of a buffer is empty".formatted(i));
            }
            bytes += Integer.toUnsignedLong(lengths[i]);
        }
        return bytes;
    }

    /** The ring entries that a buffer takes: one where it goes into an indirect table. */
    static int ringEntries(int pieceCount, int indirectEntries) {
        return pieceCount > 1 && pieceCount <= indirectEntries ? 1 : pieceCount;
    }

    static IllegalArgumentException tooMany(int pieceCount, DriverRings rings) {
        return new IllegalArgumentException(
                "a buffer of %d pieces never fits a queue of %d entries with indirect tables of %d"
                        .formatted(pieceCount, rings.size(), rings.indirectEntries()));
    }
}
