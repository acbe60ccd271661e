package io.fairlead.bench.migrate;

import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.file.Path;

/** The guest that moves: its one disk has its root file system, what its heart reads, and what fio reads and writes. */
final class LoadedGuest {
    /** Requests that fio keeps in flight. */
    static final int DEPTH = 8;

    private static final int LOAD_MIB = 256;

    private final int rootMib;

    private LoadedGuest(int rootMib) {
        this.rootMib = rootMib;
    }

    /** What guests on images of this test-bed do. */
    static LoadedGuest of(Testbed testbed) throws IOException {
        return new LoadedGuest(MovingGuest.rootMib(testbed));
    }

    /** Makes an image. Its region for fio is written, so that no block of it is a hole. */
    void makeImage(Testbed testbed, Path image) throws IOException {
        testbed.copyRootImage(image);
        MovingGuest.addLoad(image, rootMib, LOAD_MIB);
    }

    /** A guest without its disk. */
    GuestSpec spec(MigrateBenchOptions options) {
        return MovingGuest.spec(options, job(), 2);
    }

    private String job() {
        int sectorsPerMib = MovingGuest.MIB / Heartbeat.SECTOR_BYTES;
        return Heartbeat.FUNCTIONS
                + """
                fio --name=load --filename=/dev/vda --offset=%dm --size=%dm --rw=randrw --bs=4k --direct=1 \\
                    --ioengine=libaio --iodepth=%d --time_based --runtime=3600 --output=/tmp/fio.txt &
                fio=$!
                heartbeat_processor 0
                heartbeat_disk 1 /dev/vda %d %d
                emit '{"at":"busy"}'
                receive >/dev/null
                wrong=$(dmesg | grep -cE 'I/O error|blocked for more|lockup|BUG:|Oops')
                if kill -0 $fio; then fio=1; else fio=0; fi
                emit "{\\"kernelErrors\\":$wrong,\\"loadRuns\\":$fio}"
                receive >/dev/null
                """.formatted(
                                rootMib + MovingGuest.MARK_MIB,
                                LOAD_MIB,
                                DEPTH,
                                rootMib * sectorsPerMib,
                                MovingGuest.MARK_MIB * sectorsPerMib);
    }
}
