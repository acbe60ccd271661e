package io.fairlead.devices.fs;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Objects by numbers that are given to the guest. A number says where the object is and how often that place was given out,
 * so that an old number never means another object. Looking up takes no lock and allocates nothing.
 *
 * <p>Thread-safe.
 */
final class SlotTable<T extends Counted> {
    private static final int FIRST_SIZE = 64;
    private static final long SLOT_MASK = 0xffff_ffffL;

    private final int capacity;
    private volatile AtomicReferenceArray<@Nullable T> slots = new AtomicReferenceArray<>(FIRST_SIZE);
    private int[] free = new int[FIRST_SIZE];
    private int freeCount;
    private int usedSlots;
    private int count;
    private long generation;

    SlotTable(int capacity) {
        this.capacity = capacity;
    }

    /** The object of a number, held for the caller; null where there is none. */
    @Nullable
    T hold(long id) {
        AtomicReferenceArray<@Nullable T> now = slots;
        long slot = (id & SLOT_MASK) - 1;
        if (slot < 0 || slot >= now.length()) {
            return null;
        }
        T found = now.get((int) slot);
        return found != null && found.id() == id && found.hold() ? found : null;
    }

    /** A number for a new object, to be given to {@link #put}; 0 where the table is full. */
    synchronized long nextId() {
        if (count == capacity) {
            return 0;
        }
        int slot = freeCount > 0 ? free[--freeCount] : usedSlots++;
        grow(slot);
        count++;
        generation = (generation + 1) & 0x7fff_ffff;
        return (generation << 32) | (slot + 1);
    }

    /** Puts an object at the number that it has from {@link #nextId}. */
    synchronized void put(T object) {
        slots.set(slot(object.id()), object);
    }

    /**
     * Puts an object at a number that another table gave; {@link #restored} ends a series of these.
     *
     * @return false where the number is none, is taken, or the table is full
     */
    synchronized boolean restore(T object) {
        long slot = (object.id() & SLOT_MASK) - 1;
        if (object.id() <= 0 || slot < 0 || slot >= capacity || count == capacity) {
            return false;
        }
        grow((int) slot);
        if (slots.get((int) slot) != null) {
            return false;
        }
        usedSlots = Math.max(usedSlots, (int) slot + 1);
        generation = Math.max(generation, object.id() >>> 32);
        slots.set((int) slot, object);
        count++;
        return true;
    }

    /** Finds out which places are free. */
    synchronized void restored() {
        freeCount = 0;
        for (int slot = usedSlots - 1; slot >= 0; slot--) {
            if (slots.get(slot) == null) {
                addFree(slot);
            }
        }
    }

    /** How many numbers were given out. */
    synchronized long generation() {
        return generation;
    }

    /** Numbers that are given out are newer than so many. */
    synchronized void generation(long least) {
        generation = Math.max(generation, least & 0x7fff_ffff);
    }

    private void grow(int slot) {
        AtomicReferenceArray<@Nullable T> old = slots;
        if (slot >= old.length()) {
            AtomicReferenceArray<@Nullable T> larger =
                    new AtomicReferenceArray<>(Math.max(slot + 1, Math.min(capacity, 2 * old.length())));
            for (int i = 0; i < old.length(); i++) {
                larger.set(i, old.get(i));
            }
            slots = larger;
        }
    }

    /** Takes an object out; its number means nothing any more. False where it was out already. */
    synchronized boolean remove(T object) {
        int slot = slot(object.id());
        if (!object.equals(slots.get(slot))) {
            return false;
        }
        slots.set(slot, null);
        addFree(slot);
        count--;
        return true;
    }

    private void addFree(int slot) {
        if (freeCount == free.length) {
            free = Arrays.copyOf(free, 2 * freeCount);
        }
        free[freeCount++] = slot;
    }

    private static int slot(long id) {
        return (int) (id & SLOT_MASK) - 1;
    }

    /** How many objects there are. */
    synchronized int count() {
        return count;
    }

    /** Shows all objects by ascending place. */
    synchronized void forEach(Consumer<T> visitor) {
        for (int slot = 0; slot < usedSlots; slot++) {
            T object = slots.get(slot);
            if (object != null) {
                visitor.accept(object);
            }
        }
    }
}
