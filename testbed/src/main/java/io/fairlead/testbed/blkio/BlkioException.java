package io.fairlead.testbed.blkio;

import io.fairlead.linux.Errno;
import java.io.IOException;
import java.io.Serial;

/** libblkio refused a call, or a request failed. The message has the call, the error number's name and libblkio's words. */
public final class BlkioException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int errno;

    BlkioException(String call, int errno, String words) {
        super("%s: %s (%s)".formatted(call, words.isEmpty() ? Errno.text(errno) : words, Errno.name(errno)));
        this.errno = errno;
    }

    /** The positive error number, one of {@link Errno}. */
    public int errno() {
        return errno;
    }
}
