package io.fairlead.devices.fs;

import java.util.ArrayList;
import java.util.List;

/**
 * Which of the host's users or groups a guest's one is: ranges {@code GUEST:HOST:COUNT}, several with {@code /} between
 * them; without any, each is itself. Immutable; allocates nothing once made.
 */
record IdMap(List<Range> ranges) {
    static final IdMap IDENTITY = new IdMap(List.of());

    /** What the guest sees where the host's one is none of its own. */
    static final int NOBODY = 65534;

    /** A guest's id that the host has no user for. */
    static final int NONE = -1;

    /**
     * Users that follow each other.
     *
     * @param guest first id in the guest
     * @param host first id on the host
     */
    record Range(long guest, long host, long count) {
        Range {
            long most = 0xffff_ffffL;
            if (guest < 0 || host < 0 || count < 1 || guest + count > most || host + count > most) {
                throw new IllegalArgumentException("%d:%d:%d is no range of ids".formatted(guest, host, count));
            }
        }
    }

    IdMap {
        ranges = List.copyOf(ranges);
    }

    /** @throws IllegalArgumentException where the text is no map; says why */
    static IdMap parse(String key, String text) {
        if (text.isEmpty()) {
            return IDENTITY;
        }
        List<Range> ranges = new ArrayList<>();
        for (String part : text.split("/", -1)) {
            String[] numbers = part.split(":", -1);
            try {
                if (numbers.length != 3) {
                    throw new IllegalArgumentException("'%s' is not GUEST:HOST:COUNT".formatted(part));
                }
                ranges.add(
                        new Range(Long.parseLong(numbers[0]), Long.parseLong(numbers[1]), Long.parseLong(numbers[2])));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("%s: %s".formatted(key, e.getMessage()), e);
            }
        }
        return new IdMap(ranges);
    }

    /** The host's id, or {@link #NONE}. */
    int toHost(int guestId) {
        return map(guestId, true, NONE);
    }

    /** The guest's id, or {@link #NOBODY}. */
    int toGuest(int hostId) {
        return map(hostId, false, NOBODY);
    }

    private int map(int id, boolean toHost, int otherwise) {
        if (ranges.isEmpty()) {
            return id;
        }
        long unsigned = Integer.toUnsignedLong(id);
        for (int i = 0; i < ranges.size(); i++) {
            Range range = ranges.get(i);
            long at = unsigned - (toHost ? range.guest : range.host);
            if (at >= 0 && at < range.count) {
                return (int) ((toHost ? range.host : range.guest) + at);
            }
        }
        return otherwise;
    }

    /** As {@link #parse} reads it. */
    String text() {
        StringBuilder text = new StringBuilder();
        for (Range range : ranges) {
            text.append(text.isEmpty() ? "" : "/").append("%d:%d:%d".formatted(range.guest, range.host, range.count));
        }
        return text.toString();
    }
}
