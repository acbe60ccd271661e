package io.fairlead.qemu.domain;

import java.util.Locale;

/** A constant that stands in a document as a word. */
public interface Word {
    /** The constant's name; every enum has it. */
    String name();

    /** As it stands in a document: lower case, with hyphens. */
    default String word() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
