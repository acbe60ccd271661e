package io.fairlead.qemu.domain.xml;

/**
 * Text between tags, with entities resolved.
 *
 * @param text as it is; white space alone only beside other text
 */
public record XmlText(String text) implements XmlNode {}
