package io.fairlead.qemu.domain.xml;

/** What an element has inside. Immutable. */
public sealed interface XmlNode permits XmlElement, XmlText {}
