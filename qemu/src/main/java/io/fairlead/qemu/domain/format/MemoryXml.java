package io.fairlead.qemu.domain.format;

import io.fairlead.qemu.domain.DomainException;
import io.fairlead.qemu.domain.Memory;
import io.fairlead.qemu.domain.Memory.Backing;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** {@code <memory>}, {@code <currentMemory>}, {@code <memtune>} and {@code <memoryBacking>}. */
final class MemoryXml {
    private static final long MAX_KIB = 1L << 40;
    private static final Map<String, Long> UNIT_BYTES = Map.ofEntries(
            Map.entry("b", 1L),
            Map.entry("byte", 1L),
            Map.entry("bytes", 1L),
            Map.entry("kb", 1000L),
            Map.entry("k", 1L << 10),
            Map.entry("kib", 1L << 10),
            Map.entry("mb", 1_000_000L),
            Map.entry("m", 1L << 20),
            Map.entry("mib", 1L << 20),
            Map.entry("gb", 1_000_000_000L),
            Map.entry("g", 1L << 30),
            Map.entry("gib", 1L << 30),
            Map.entry("tb", 1_000_000_000_000L),
            Map.entry("t", 1L << 40),
            Map.entry("tib", 1L << 40));

    private MemoryXml() {}

    static Memory read(ElementReader root) throws DomainException {
        ElementReader memory = root.requiredChild("memory");
        memory.quiet("dumpCore");
        long kib = amount(memory);
        ElementReader current = root.child("currentMemory");
        long currentKib = current == null ? kib : amount(current);
        if (currentKib > kib) {
            throw root.requiredChild("currentMemory").refuse("it is more than the machine's memory", "lower it");
        }
        ElementReader tune = root.child("memtune");
        ElementReader limit = tune == null ? null : tune.child("hard_limit");
        return new Memory(kib, currentKib, limit == null ? 0 : amount(limit), backing(root));
    }

    /** In KiB, rounded up as libvirt does. */
    private static long amount(ElementReader in) throws DomainException {
        String unit = in.attribute("unit", "KiB");
        Long bytes = UNIT_BYTES.get(unit.toLowerCase(Locale.ROOT));
        if (bytes == null) {
            throw in.refuseAttribute("unit", "\"" + unit + "\" is not taken", "use KiB, MiB, GiB or bytes");
        }
        return Math.ceilDiv(in.numberOfText(1, MAX_KIB * 1024 / bytes) * bytes, 1024);
    }

    private static Backing backing(ElementReader root) throws DomainException {
        ElementReader in = root.child("memoryBacking");
        if (in == null) {
            return Backing.DEFAULT;
        }
        // Whether the host may merge equal pages, and when it makes them, are not the guest's affair.
        in.quiet("nosharepages", "allocation");
        ElementReader source = in.child("source");
        ElementReader access = in.child("access");
        ElementReader huge = in.child("hugepages");
        long pageKib = 0;
        if (huge != null) {
            List<ElementReader> pages = huge.children("page");
            if (pages.size() > 1) {
                throw pages.get(1).refuse("pages of several sizes are not taken", "use one size");
            }
            if (!pages.isEmpty()) {
                ElementReader page = pages.getFirst();
                String unit = page.attribute("unit", "KiB");
                pageKib = page.requiredNumber("size", 1, Integer.MAX_VALUE)
                        * UNIT_BYTES.getOrDefault(unit.toLowerCase(Locale.ROOT), 0L)
                        / 1024;
                if (Long.bitCount(pageKib) != 1) {
                    throw page.refuse("its size is not a power of two of KiB", "use 2 MiB or 1 GiB");
                }
            }
        }
        boolean shared = access != null
                && switch (access.attribute("mode", "private")) {
                    case "shared" -> true;
                    case "private" -> false;
                    case String other ->
                        throw access.refuseAttribute("mode", "\"" + other + "\" is not taken", "use shared or private");
                };
        return new Backing(
                source == null ? Memory.Source.DEFAULT : source.choice("type", Memory.Source.DEFAULT),
                shared,
                huge != null,
                pageKib,
                in.child("locked") != null);
    }

    static void write(Memory memory, ElementWriter out) {
        ElementWriter _ = out.child("memory").set("unit", "KiB").text(Long.toString(memory.kib()));
        ElementWriter _ = out.child("currentMemory").set("unit", "KiB").text(Long.toString(memory.currentKib()));
        if (memory.hardLimitKib() > 0) {
            ElementWriter _ = out.child("memtune")
                    .child("hard_limit")
                    .set("unit", "KiB")
                    .text(Long.toString(memory.hardLimitKib()));
        }
        Backing backing = memory.backing();
        if (!backing.equals(Backing.DEFAULT)) {
            ElementWriter child = out.child("memoryBacking");
            if (backing.hugePages()) {
                ElementWriter huge = child.child("hugepages");
                if (backing.hugePageKib() > 0) {
                    ElementWriter _ = huge.child("page")
                            .set("size", backing.hugePageKib())
                            .set("unit", "KiB");
                }
            }
            ElementWriter _ = child.childIf(backing.locked(), "locked");
            if (backing.source() != Memory.Source.DEFAULT) {
                ElementWriter _ =
                        child.child("source").set("type", backing.source().word());
            }
            if (backing.shared()) {
                ElementWriter _ = child.child("access").set("mode", "shared");
            }
        }
    }
}
