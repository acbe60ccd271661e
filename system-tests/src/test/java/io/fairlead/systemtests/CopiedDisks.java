package io.fairlead.systemtests;

import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/**
 * Two hosts' disks that cannot store the same, such as one in the kernel's memory and one behind a PCI function: when the
 * guest's disk starts at the other host, what it stores is copied there first, as hosts without shared storage do. The guest
 * stands still meanwhile. For the first host's device, then the other's.
 */
final class CopiedDisks implements UnaryOperator<VdpaDevice> {
    private static final int PATIENCE_SECONDS = 60;

    private final List<Path> disks;
    private final int mib;
    private int made;
    private int current;

    /**
     * @param disks the block devices by which this machine itself reaches what each host's disk stores
     * @param mib how much of them is used
     */
    CopiedDisks(List<Path> disks, int mib) {
        this.disks = List.copyOf(disks);
        this.mib = mib;
    }

    @Override
    public VdpaDevice apply(VdpaDevice device) {
        int host = made++;
        return ObservedDevice.beforeStart(device, () -> bring(host));
    }

    private synchronized void bring(int host) {
        if (host != current) {
            copy(disks.get(current), disks.get(host));
            current = host;
        }
    }

    /** Past the page cache, at both ends. */
    private void copy(Path from, Path to) {
        try {
            Process copier = new ProcessBuilder(
                            "dd",
                            "if=" + from,
                            "of=" + to,
                            "bs=1M",
                            "count=" + mib,
                            "iflag=direct",
                            "oflag=direct",
                            "conv=notrunc")
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!copier.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS) || copier.exitValue() != 0) {
                copier.destroyForcibly();
                throw new IOException("%s was not copied to %s".formatted(from, to));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + from + " was copied", e);
        }
    }
}
