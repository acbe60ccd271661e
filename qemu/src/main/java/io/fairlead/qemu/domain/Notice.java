package io.fairlead.qemu.domain;

/**
 * Something that its user should know about a domain that was taken.
 *
 * @param line in the document, from 1; 0 where it is not about a place in one
 * @param path of the element or attribute, or the device's name
 * @param meaning what it means for the machine
 */
public record Notice(int line, String path, String meaning) {
    @Override
    public String toString() {
        return (line > 0 ? "line " + line + ", " : "") + path + ": " + meaning;
    }
}
