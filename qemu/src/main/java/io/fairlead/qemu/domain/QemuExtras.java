package io.fairlead.qemu.domain;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** {@code <qemu:commandline>}: what QEMU is given besides, unchecked. */
public record QemuExtras(List<String> arguments, SortedMap<String, String> environment) {
    /** Nothing. */
    public static final QemuExtras NONE = new QemuExtras(List.of(), new TreeMap<>());

    /** The namespace of the element. */
    public static final String NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0";

    public QemuExtras {
        arguments = List.copyOf(arguments);
        environment = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(environment));
    }
}
