package io.fairlead.bench.migrate;

import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;

/** What guests that move have in common: their images, and the machine without its devices. */
final class MovingGuest {
    static final int MIB = 1 << 20;

    /** What a heart reads, where an image's own content ends. */
    static final int MARK_MIB = 16;

    private static final int PROCESSORS = 2;

    private MovingGuest() {}

    /** Where the root file system of a test-bed's image ends, in MiB. */
    static int rootMib(Testbed testbed) throws IOException {
        return (int) Math.ceilDiv(Files.size(testbed.rootImage()), MIB);
    }

    /** Adds to an image what a heart reads, and behind it what fio uses: no block of it is a hole. */
    static void addLoad(Path image, int skipMib, int loadMib) throws IOException {
        long marks = (long) skipMib * MIB;
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(marks + (long) MARK_MIB * MIB);
            byte[] chunk = new byte[MIB];
            for (int i = 0; i < loadMib; i++) {
                file.write(chunk);
            }
            Heartbeat.prepare(image, marks, (long) MARK_MIB * MIB);
            file.getFD().sync();
        }
    }

    /** @param hearts how many processes of the guest say that they go on */
    static GuestSpec spec(MigrateBenchOptions options, String job, int hearts) {
        return GuestSpec.job(job)
                .release(options.release())
                .boot(GuestSpec.Boot.KERNEL)
                .memoryMib(options.memoryMib())
                .processors(PROCESSORS)
                .heartbeats(hearts)
                .nodeMonitor()
                .name("moves");
    }
}
