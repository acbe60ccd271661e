package io.fairlead.devices.storage;

import io.fairlead.linux.Errno;
import io.fairlead.linux.FileIo;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes writes durable, many callers by one fdatasync. The kernel reports a lost write once and then calls the file
 * clean: here a failure lasts until the file is opened anew, and calls do not run beside each other, or one would take
 * the other's report away.
 *
 * <p>Thread-safe; callers wait.
 */
class FlushGate {
    private static final Logger LOG = LoggerFactory.getLogger(FlushGate.class);

    private final int fd;
    private final String subject;
    private final AtomicLong asked = new AtomicLong();

    /** Requests up to this one are served; under the lock. */
    private long served;

    /** The first error, negative; under the lock. */
    private int failure;

    FlushGate(int fd, String subject) {
        this.fd = fd;
        this.subject = subject;
    }

    /** @return 0 or a negative error number */
    int flush() {
        long ticket = asked.incrementAndGet();
        synchronized (this) {
            if (served < ticket && failure == 0) {
                long servedNow = asked.get();
                failure = sync();
                served = servedNow;
                if (failure != 0) {
                    LOG.error(
                            "{}: {}: written data is lost; every flush fails until the device is created again",
                            subject,
                            Errno.name(-failure));
                }
            }
            return failure;
        }
    }

    /** The system call. */
    int sync() {
        return FileIo.fdatasync(fd);
    }
}
