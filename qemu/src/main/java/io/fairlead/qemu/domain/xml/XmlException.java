package io.fairlead.qemu.domain.xml;

/** A document that cannot be taken: not well-formed, over a bound, or with what is forbidden. */
public final class XmlException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int line;

    public XmlException(int line, String reason) {
        super(reason);
        this.line = line;
    }

    /** Where, from 1. */
    public int line() {
        return line;
    }
}
