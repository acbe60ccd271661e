package io.fairlead.qemu.domain;

/**
 * A domain that cannot be taken. The message has place, reason and remedy, for instance {@code line 12,
 * /domain/devices/disk[1]/target/@bus: there is no bus "isa" for a disk; use one of virtio, scsi, sata, ide}.
 */
public final class DomainException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int line;
    private final String path;
    private final String reason;
    private final String remedy;

    /**
     * @param line in the document, from 1; 0 where the domain comes from none
     * @param path of the element or attribute, or the device's name
     * @param reason what is wrong
     * @param remedy what to do
     */
    public DomainException(int line, String path, String reason, String remedy) {
        super((line > 0 ? "line " + line + ", " : "") + path + ": " + reason + "; " + remedy);
        this.line = line;
        this.path = path;
        this.reason = reason;
        this.remedy = remedy;
    }

    public int line() {
        return line;
    }

    public String path() {
        return path;
    }

    public String reason() {
        return reason;
    }

    public String remedy() {
        return remedy;
    }
}
