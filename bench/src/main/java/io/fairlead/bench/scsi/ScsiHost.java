package io.fairlead.bench.scsi;

import io.fairlead.bench.ProcessUsage;
import java.io.IOException;
import java.util.Map;

/** Whose SCSI host serves a unit, and what it has used. */
interface ScsiHost {
    /** The word for it in the guest's job. */
    String word();

    /** Processor time so far of each thread or process that serves it, by any number, in nanoseconds. */
    Map<Long, Long> cpuNanos() throws IOException;

    /** A process that does nothing else. */
    record Daemon(String word, long pid) implements ScsiHost {
        @Override
        public Map<Long, Long> cpuNanos() throws IOException {
            return Map.of(pid, ProcessUsage.of(pid).cpuNanos());
        }
    }

    /** A thread of QEMU's, and the kernel's workers that do I/O for its process. */
    record IoThread(String word, long pid, long threadId) implements ScsiHost {
        private static final String KERNEL_WORKER = "iou-wrk-";

        @Override
        public Map<Long, Long> cpuNanos() throws IOException {
            return ProcessUsage.threadCpuNanos(pid, (id, name) -> id == threadId || name.startsWith(KERNEL_WORKER));
        }
    }

    /** What was used since: of threads that have come meanwhile all, of those that have ended nothing is known. */
    static long since(Map<Long, Long> before, Map<Long, Long> now) {
        return now.entrySet().stream()
                .mapToLong(each -> each.getValue() - before.getOrDefault(each.getKey(), 0L))
                .sum();
    }
}
