package io.fairlead.qemu.domain;

/**
 * A machine's memory.
 *
 * @param kib its size
 * @param currentKib what the guest has of it while its balloon is inflated; at most {@code kib}
 * @param hardLimitKib what the whole of QEMU may take, and may lock; 0 for no limit
 * @param backing how it is had from the host
 */
public record Memory(long kib, long currentKib, long hardLimitKib, Backing backing) {
    /** What memory lies in. */
    public enum Source implements Word {
        /** QEMU's choice. */
        DEFAULT,
        ANONYMOUS,
        MEMFD,
        FILE
    }

    /**
     * How memory is had from the host.
     *
     * @param shared whether other processes may map it, as vhost-user back-ends do
     * @param hugePages whether it is in huge pages
     * @param hugePageKib their size; 0 for the host's usual one
     * @param locked whether it is never swapped out
     */
    public record Backing(Source source, boolean shared, boolean hugePages, long hugePageKib, boolean locked) {
        /** As QEMU chooses, of this process alone. */
        public static final Backing DEFAULT = new Backing(Source.DEFAULT, false, false, 0, false);
    }

    /** The same in a memory file that back-ends may map; a file on disk stays one. */
    public Memory shared() {
        Source source = backing.source == Source.FILE ? Source.FILE : Source.MEMFD;
        return new Memory(
                kib,
                currentKib,
                hardLimitKib,
                new Backing(source, true, backing.hugePages, backing.hugePageKib, backing.locked));
    }

    /** The same with another limit. */
    public Memory withHardLimitKib(long value) {
        return new Memory(kib, currentKib, value, backing);
    }
}
