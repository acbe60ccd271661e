package io.fairlead.qemu.domain.xml;

/** An attribute with its normalised value. */
public record XmlAttribute(XmlName name, String value) {}
