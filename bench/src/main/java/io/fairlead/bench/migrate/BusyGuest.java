package io.fairlead.bench.migrate;

import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A guest that moves with a disk, a NIC, a SCSI unit and a shared folder and uses all of them all the time: a fio on each
 * that has data, hearts beside them, and who pings it from outside.
 */
final class BusyGuest {
    /** Requests that fio keeps in flight on the disk, and as many on the unit. */
    static final int DEPTH = 4;

    /** What the guest mounts the folder by. */
    static final String TAG = "share";

    static final String MAC = "52:54:00:fa:1e:0b";

    private static final int MIB = 1 << 20;
    private static final int MARK_MIB = 16;
    private static final int LOAD_MIB = 128;
    private static final int FOLDER_LOAD_MIB = 16;
    private static final String FOLDER_FILE = "load.dat";
    private static final int PROCESSORS = 2;

    /** In whose lines a process of the guest says that it goes on, and so does what it uses. */
    enum Heart {
        GUEST("the guest", 0, "heartbeat_processor %d"),
        DISK("the disk", 1, "heartbeat_disk %d /dev/vda $disk_skip $mark_sectors"),
        UNIT("the SCSI unit", 2, "heartbeat_disk %d /dev/sda 0 $mark_sectors"),
        FOLDER("the folder", 3, "heartbeat_folder %d /mnt/share");

        private final String label;
        private final int card;
        private final String command;

        Heart(String label, int card, String command) {
            this.label = label;
            this.card = card;
            this.command = command;
        }

        String label() {
            return label;
        }

        int card() {
            return card;
        }
    }

    private final int rootMib;

    private BusyGuest(int rootMib) {
        this.rootMib = rootMib;
    }

    /** What guests on images of this test-bed do. */
    static BusyGuest of(Testbed testbed) throws IOException {
        return new BusyGuest((int) Math.ceilDiv(Files.size(testbed.rootImage()), MIB));
    }

    /** Makes an image with a root file system. */
    void makeDisk(Testbed testbed, Path image) throws IOException {
        testbed.copyRootImage(image);
        makeLoad(image, rootMib);
    }

    /** Makes an image without. */
    void makeUnit(Path image) throws IOException {
        Files.createFile(image);
        makeLoad(image, 0);
    }

    /** Fills a folder. */
    void makeFolder(Path share) throws IOException {
        Files.write(share.resolve(FOLDER_FILE), new byte[FOLDER_LOAD_MIB * MIB]);
    }

    /** What the heart reads, and behind it what fio uses: no block of it is a hole. */
    private static void makeLoad(Path image, int skipMib) throws IOException {
        long marks = (long) skipMib * MIB;
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(marks + (long) MARK_MIB * MIB);
            byte[] chunk = new byte[MIB];
            for (int i = 0; i < LOAD_MIB; i++) {
                file.write(chunk);
            }
            Heartbeat.prepare(image, marks, (long) MARK_MIB * MIB);
            file.getFD().sync();
        }
    }

    /** A guest without its devices. */
    GuestSpec spec(MigrateBenchOptions options) {
        return GuestSpec.job(job())
                .release(options.release())
                .boot(GuestSpec.Boot.KERNEL)
                .memoryMib(options.memoryMib())
                .processors(PROCESSORS)
                .heartbeats(Heart.values().length)
                .nodeMonitor()
                .name("moves");
    }

    private String job() {
        int sectorsPerMib = MIB / Heartbeat.SECTOR_BYTES;
        StringBuilder hearts = new StringBuilder();
        for (Heart heart : Heart.values()) {
            hearts.append(heart.command.formatted(heart.card())).append('\n');
        }
        return Heartbeat.FUNCTIONS
                + """
                disk_skip=%d
                mark_sectors=%d
                modprobe -a virtio_net virtiofs virtio_scsi sd_mod
                ip link set eth0 up
                ip addr add %s/24 dev eth0
                mkdir -p /mnt/share
                mount -t virtiofs %s /mnt/share
                until [ -b /dev/sda ]; do sleep 0.1; done
                load() {
                    fio --bs=4k --rw=randrw --direct=1 --time_based --runtime=3600 --output="/tmp/$1.txt" --name="$@" &
                    loads="$loads $!"
                }
                load disk --filename=/dev/vda --offset=%dm --size=%dm --ioengine=libaio --iodepth=%d
                load unit --filename=/dev/sda --offset=%dm --size=%dm --ioengine=libaio --iodepth=%d
                load folder --filename=/mnt/share/%s --size=%dm --ioengine=psync
                """.formatted(
                                rootMib * sectorsPerMib,
                                MARK_MIB * sectorsPerMib,
                                PingedNetwork.GUEST,
                                TAG,
                                rootMib + MARK_MIB,
                                LOAD_MIB,
                                DEPTH,
                                MARK_MIB,
                                LOAD_MIB,
                                DEPTH,
                                FOLDER_FILE,
                                FOLDER_LOAD_MIB)
                // Else the guest's kernel would hardly come to tell who waits for the folder.
                + "heartbeat_nice=0\n"
                + hearts
                + """
                until [ -e /mnt/share/beat.63 ]; do sleep 0.1; done
                emit '{"at":"busy"}'
                receive >/dev/null
                wrong=$(dmesg | grep -cE 'I/O error|blocked for more|lockup|BUG:|Oops')
                running=0
                for load in $loads; do kill -0 $load && running=$((running + 1)); done
                emit "{\\"kernelErrors\\":$wrong,\\"loadRuns\\":$running}"
                receive >/dev/null
                """;
    }

    /** How many loads run as long as nothing fails. */
    static int loads() {
        return 3;
    }
}
