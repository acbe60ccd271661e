package io.fairlead.devices.scsi;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Who may use a logical unit: persistent reservations (SPC-4, 5.12) and the reservation of RESERVE and RELEASE. They last
 * until the driver's reset of the host adapter, which is its power going off: none is kept beyond that (APTPL).
 *
 * <p>Any thread; {@link #isAny} without a lock.
 */
final class Reservations {
    /** Persistent reservation types (SPC-4, table 236). */
    static final int WRITE_EXCLUSIVE = 1;

    static final int EXCLUSIVE_ACCESS = 3;
    static final int WRITE_EXCLUSIVE_REGISTRANTS = 5;
    static final int EXCLUSIVE_ACCESS_REGISTRANTS = 6;
    static final int WRITE_EXCLUSIVE_ALL = 7;
    static final int EXCLUSIVE_ACCESS_ALL = 8;

    static final int NOBODY = -1;

    /** What came of a request. */
    enum Outcome {
        DONE,
        CONFLICT,
        /** The type is not the one of the reservation that is to be released. */
        INVALID_RELEASE,
        /** No key to preempt. */
        INVALID_PARAMETER
    }

    private final UnitAttentions attentions;
    private final SortedMap<Integer, Long> keys = new TreeMap<>();
    private int generation;

    /** 0 for no persistent reservation. */
    private int type;

    /** Who holds it; with an all registrants type, who made it. */
    private int holder = NOBODY;

    /** Who has the unit by RESERVE. */
    private int reservedBy = NOBODY;

    private volatile boolean any;

    Reservations(UnitAttentions attentions) {
        this.attentions = attentions;
    }

    static boolean isType(int type) {
        return switch (type) {
            case WRITE_EXCLUSIVE,
                    EXCLUSIVE_ACCESS,
                    WRITE_EXCLUSIVE_REGISTRANTS,
                    EXCLUSIVE_ACCESS_REGISTRANTS,
                    WRITE_EXCLUSIVE_ALL,
                    EXCLUSIVE_ACCESS_ALL -> true;
            default -> false;
        };
    }

    /** Whether a reservation may keep commands out. */
    boolean isAny() {
        return any;
    }

    private void changed() {
        any = type != 0 || reservedBy != NOBODY;
    }

    /**
     * Whether a command has to be refused.
     *
     * @param starts whether it is a START STOP UNIT that starts
     * @param always whether not even a reservation by RESERVE keeps it out
     */
    synchronized boolean conflicts(int nexus, CommandTable.Access access, boolean starts, boolean always) {
        if (reservedBy != NOBODY && reservedBy != nexus) {
            return !always && access != CommandTable.Access.RESERVES;
        }
        if (type == 0 || mayAll(nexus)) {
            return false;
        }
        boolean exclusive =
                type == EXCLUSIVE_ACCESS || type == EXCLUSIVE_ACCESS_REGISTRANTS || type == EXCLUSIVE_ACCESS_ALL;
        return switch (access) {
            case ALWAYS, RESERVES -> false;
            case READS -> exclusive;
            case CHANGES -> true;
            case STARTS -> !starts;
        };
    }

    private boolean mayAll(int nexus) {
        return switch (type) {
            case WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS -> holder == nexus;
            default -> keys.containsKey(nexus);
        };
    }

    private boolean isForAll() {
        return type == WRITE_EXCLUSIVE_ALL || type == EXCLUSIVE_ACCESS_ALL;
    }

    private boolean isForRegistrants() {
        return type >= WRITE_EXCLUSIVE_REGISTRANTS;
    }

    private boolean holds(int nexus) {
        return type != 0 && (isForAll() ? keys.containsKey(nexus) : holder == nexus);
    }

    private boolean isKeyOf(int nexus, long key) {
        Long own = keys.get(nexus);
        return own != null && own == key;
    }

    // ---- RESERVE and RELEASE ----

    /** Where anybody is registered these conflict (SPC-4, 5.12.3, without CRH). */
    synchronized Outcome reserveUnit(int nexus) {
        if (!keys.isEmpty() || (reservedBy != NOBODY && reservedBy != nexus)) {
            return Outcome.CONFLICT;
        }
        reservedBy = nexus;
        changed();
        return Outcome.DONE;
    }

    synchronized Outcome releaseUnit(int nexus) {
        if (!keys.isEmpty()) {
            return Outcome.CONFLICT;
        }
        if (reservedBy == nexus) {
            reservedBy = NOBODY;
            changed();
        }
        return Outcome.DONE;
    }

    /** A reset of the unit ends what RESERVE began; persistent reservations stay. */
    synchronized void unitReset() {
        reservedBy = NOBODY;
        changed();
    }

    // ---- PERSISTENT RESERVE OUT ----

    /** Whether somebody else has the unit by RESERVE, which keeps all persistent reservations out. */
    private boolean isReservedByOther(int nexus) {
        return reservedBy != NOBODY && reservedBy != nexus;
    }

    /** @param ignoresKey whether the initiator's own key need not be right */
    synchronized Outcome register(int nexus, long key, long newKey, boolean ignoresKey) {
        if (isReservedByOther(nexus)) {
            return Outcome.CONFLICT;
        }
        boolean registered = keys.containsKey(nexus);
        if (!ignoresKey && (registered ? !isKeyOf(nexus, key) : key != 0)) {
            return Outcome.CONFLICT;
        }
        if (newKey != 0) {
            keys.put(nexus, newKey);
            generation++;
        } else if (registered) {
            unregister(nexus);
            generation++;
        }
        changed();
        return Outcome.DONE;
    }

    private void unregister(int nexus) {
        boolean ends = isForAll() ? keys.size() == 1 : holder == nexus && type != 0;
        boolean told = isForRegistrants() && !isForAll();
        keys.remove(nexus);
        if (ends) {
            if (told) {
                tell(nexus, Sense.RESERVATIONS_RELEASED);
            }
            free();
        }
    }

    private void free() {
        type = 0;
        holder = NOBODY;
    }

    /** Tells everybody who is registered but one. */
    private void tell(int but, Sense attention) {
        for (int nexus : keys.keySet()) {
            if (nexus != but) {
                attentions.add(nexus, attention);
            }
        }
    }

    synchronized Outcome reserve(int nexus, long key, int newType) {
        if (isReservedByOther(nexus) || !isKeyOf(nexus, key)) {
            return Outcome.CONFLICT;
        }
        if (type == 0) {
            type = newType;
            holder = nexus;
            changed();
            return Outcome.DONE;
        }
        return holds(nexus) && type == newType ? Outcome.DONE : Outcome.CONFLICT;
    }

    synchronized Outcome release(int nexus, long key, int ofType) {
        if (isReservedByOther(nexus) || !isKeyOf(nexus, key)) {
            return Outcome.CONFLICT;
        }
        if (!holds(nexus)) {
            return Outcome.DONE;
        }
        if (type != ofType) {
            return Outcome.INVALID_RELEASE;
        }
        if (isForRegistrants()) {
            tell(nexus, Sense.RESERVATIONS_RELEASED);
        }
        free();
        changed();
        return Outcome.DONE;
    }

    synchronized Outcome clear(int nexus, long key) {
        if (isReservedByOther(nexus) || !isKeyOf(nexus, key)) {
            return Outcome.CONFLICT;
        }
        tell(nexus, Sense.RESERVATIONS_PREEMPTED);
        keys.clear();
        free();
        generation++;
        changed();
        return Outcome.DONE;
    }

    synchronized Outcome preempt(int nexus, long key, long otherKey, int newType) {
        if (isReservedByOther(nexus) || !isKeyOf(nexus, key)) {
            return Outcome.CONFLICT;
        }
        boolean takes = type != 0 && (isForAll() ? otherKey == 0 : isKeyOf(holder, otherKey));
        if (!takes && otherKey == 0) {
            return Outcome.INVALID_PARAMETER;
        }
        if (!takes && !keys.containsValue(otherKey)) {
            return Outcome.CONFLICT;
        }
        boolean all = takes && isForAll();
        for (int other : List.copyOf(keys.keySet())) {
            if (isKeyOf(other, otherKey) || all) {
                if (other != nexus) {
                    keys.remove(other);
                    attentions.add(other, Sense.REGISTRATIONS_PREEMPTED);
                } else if (!takes) {
                    keys.remove(other);
                }
            }
        }
        if (takes) {
            if (type != newType) {
                tell(nexus, Sense.RESERVATIONS_RELEASED);
            }
            type = newType;
            holder = nexus;
        } else if (isForAll() && keys.isEmpty()) {
            free();
        }
        generation++;
        changed();
        return Outcome.DONE;
    }

    // ---- PERSISTENT RESERVE IN and the device state ----

    /**
     * All of it.
     *
     * @param keys of the registered initiators
     * @param type 0 for no reservation
     * @param holder {@link #NOBODY} for none
     */
    record Snapshot(int generation, SortedMap<Integer, Long> keys, int type, int holder, int reservedBy) {
        static final Snapshot INITIAL = new Snapshot(0, new TreeMap<>(), 0, NOBODY, NOBODY);

        boolean isForAll() {
            return type == WRITE_EXCLUSIVE_ALL || type == EXCLUSIVE_ACCESS_ALL;
        }

        boolean isHeldBy(int nexus) {
            return type != 0 && (isForAll() ? keys.containsKey(nexus) : holder == nexus);
        }

        /** Whether it could have come to be. */
        boolean isValid() {
            for (Map.Entry<Integer, Long> key : keys.entrySet()) {
                if (!isNexus(key.getKey()) || key.getValue() == 0) {
                    return false;
                }
            }
            boolean free = type == 0 && holder == NOBODY;
            boolean held = isType(type) && (isForAll() ? !keys.isEmpty() && isNexus(holder) : keys.containsKey(holder));
            return (free || held) && (reservedBy == NOBODY || isNexus(reservedBy));
        }

        private static boolean isNexus(int nexus) {
            return nexus >= 0 && nexus < UnitAttentions.MAX_NEXUSES;
        }

        List<Long> keyList() {
            return new ArrayList<>(keys.values());
        }
    }

    synchronized Snapshot snapshot() {
        return new Snapshot(generation, new TreeMap<>(keys), type, holder, reservedBy);
    }

    synchronized void restore(Snapshot snapshot) {
        generation = snapshot.generation;
        keys.clear();
        keys.putAll(snapshot.keys);
        type = snapshot.type;
        holder = snapshot.holder;
        reservedBy = snapshot.reservedBy;
        changed();
    }
}
