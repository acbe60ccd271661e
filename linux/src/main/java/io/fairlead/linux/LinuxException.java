package io.fairlead.linux;

import java.io.IOException;
import java.io.Serial;

/** A system call of the host failed. Says which call, on what object, and why. */
public final class LinuxException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final String call;
    private final String subject;
    private final int errno;

    /**
     * @param call the system call's name, such as {@code open}
     * @param subject what it was done to: a path or the name of a descriptor
     * @param errno positive error number
     */
    public LinuxException(String call, String subject, int errno) {
        super("%s %s: %s (%s)".formatted(call, subject, Errno.name(errno), Errno.text(errno)));
        this.call = call;
        this.subject = subject;
        this.errno = errno;
    }

    /** The system call's name. */
    public String call() {
        return call;
    }

    /** What the call was done to. */
    public String subject() {
        return subject;
    }

    /** The error number, one of {@link Errno}. */
    public int errno() {
        return errno;
    }

    /**
     * Turns the result of a call into its value or into an exception.
     *
     * @param result the value, or a negative error number
     */
    static long check(long result, String call, String subject) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(call, subject, (int) -result);
        }
        return result;
    }

    /** As {@link #check(long, String, String)} for calls that return an int. */
    static int check(int result, String call, String subject) throws LinuxException {
        if (result < 0) {
            throw new LinuxException(call, subject, -result);
        }
        return result;
    }
}
