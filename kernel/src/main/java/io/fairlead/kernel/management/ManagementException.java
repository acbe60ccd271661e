package io.fairlead.kernel.management;

import io.fairlead.linux.NetlinkException;
import java.io.IOException;
import java.io.Serial;

/** The kernel's vDPA management refused something. Says what, why in the kernel's words, and what helps. */
public final class ManagementException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int errno;

    ManagementException(String message, NetlinkException cause) {
        super(message, cause);
        errno = cause.errno();
    }

    /** The error number, one of {@link io.fairlead.linux.Errno}. */
    public int errno() {
        return errno;
    }
}
