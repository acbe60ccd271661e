package io.fairlead.cli;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells systemd how far a service is, where it started us (sd_notify(3)). */
final class ServiceManager {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceManager.class);
    private static final int PATIENCE_SECONDS = 10;

    private ServiceManager() {}

    static void ready() throws IOException, InterruptedException {
        tell("READY=1");
    }

    static void stopping() throws IOException, InterruptedException {
        tell("STOPPING=1");
    }

    /** By systemd's own program: the JDK has no datagram sockets of the Unix kind. The unit allows it by NotifyAccess. */
    private static void tell(String what) throws IOException, InterruptedException {
        if (System.getenv("NOTIFY_SOCKET") == null) {
            return;
        }
        Process process = new ProcessBuilder(
                        "systemd-notify", "--pid=" + ProcessHandle.current().pid(), what)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
            process.destroyForcibly();
            LOG.warn("systemd was not told {}", what);
        }
    }
}
