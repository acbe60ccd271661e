package io.fairlead.linux;

import java.io.IOException;
import java.io.Serial;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** The kernel refused a netlink request. Says which, why, and what the kernel tells besides (its extended message). */
public final class NetlinkException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    /** No attribute. */
    static final int NONE = -1;

    private final int errno;
    private final @Nullable String kernelMessage;
    private final int wrongAttribute;
    private final int missingAttribute;

    /**
     * @param request what was asked
     * @param errno positive error number
     * @param kernelMessage of {@code NLMSGERR_ATTR_MSG}; null for none
     * @param wrongAttribute the type of the attribute of the request that the kernel points at, or -1
     * @param missingAttribute the type of an attribute that the request should have, or -1
     */
    public NetlinkException(
            String request, int errno, @Nullable String kernelMessage, int wrongAttribute, int missingAttribute) {
        super("%s: %s (%s)%s"
                .formatted(
                        request,
                        Errno.name(errno),
                        Errno.text(errno),
                        kernelMessage == null ? "" : "; the kernel says: " + kernelMessage));
        this.errno = errno;
        this.kernelMessage = kernelMessage;
        this.wrongAttribute = wrongAttribute;
        this.missingAttribute = missingAttribute;
    }

    /** The error number, one of {@link Errno}. */
    public int errno() {
        return errno;
    }

    /** The kernel's own words, where it had some. */
    public Optional<String> kernelMessage() {
        return Optional.ofNullable(kernelMessage);
    }

    /** The type of the attribute that the kernel takes offence at. */
    public OptionalInt wrongAttribute() {
        return wrongAttribute == NONE ? OptionalInt.empty() : OptionalInt.of(wrongAttribute);
    }

    /** The type of an attribute that the kernel misses. */
    public OptionalInt missingAttribute() {
        return missingAttribute == NONE ? OptionalInt.empty() : OptionalInt.of(missingAttribute);
    }
}
