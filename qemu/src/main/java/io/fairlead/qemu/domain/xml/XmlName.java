package io.fairlead.qemu.domain.xml;

/**
 * The name of an element or an attribute.
 *
 * @param namespace its URI, empty for none
 * @param prefix as in the document, empty for none
 * @param local the name without prefix
 */
public record XmlName(String namespace, String prefix, String local) {
    /** A name without namespace, as nearly all of libvirt's are. */
    public static XmlName of(String local) {
        return new XmlName("", "", local);
    }

    /** Whether this is the plain name {@code local}. */
    public boolean is(String local) {
        return namespace.isEmpty() && this.local.equals(local);
    }

    /** As it stands in a document. */
    @Override
    public String toString() {
        return prefix.isEmpty() ? local : prefix + ":" + local;
    }
}
