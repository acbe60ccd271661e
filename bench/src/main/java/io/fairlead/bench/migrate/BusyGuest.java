package io.fairlead.bench.migrate;

import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.Heartbeat;
import io.fairlead.testbed.Testbed;
import java.io.IOException;
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

    private static final int LOAD_MIB = 128;
    private static final int FOLDER_LOAD_MIB = 16;
    private static final String FOLDER_FILE = "load.dat";

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
        return new BusyGuest(MovingGuest.rootMib(testbed));
    }

    /** Makes an image with a root file system. */
    void makeDisk(Testbed testbed, Path image) throws IOException {
        testbed.copyRootImage(image);
        MovingGuest.addLoad(image, rootMib, LOAD_MIB);
    }

    /** Makes an image without. */
    void makeUnit(Path image) throws IOException {
        Files.createFile(image);
        MovingGuest.addLoad(image, 0, LOAD_MIB);
    }

    /** Fills a folder. */
    void makeFolder(Path share) throws IOException {
        Files.write(share.resolve(FOLDER_FILE), new byte[FOLDER_LOAD_MIB * MovingGuest.MIB]);
    }

    /** A guest without its devices. */
    GuestSpec spec(MigrateBenchOptions options) {
        return MovingGuest.spec(options, job(), Heart.values().length);
    }

    private String job() {
        int sectorsPerMib = MovingGuest.MIB / Heartbeat.SECTOR_BYTES;
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
                                MovingGuest.MARK_MIB * sectorsPerMib,
                                PingedNetwork.GUEST,
                                TAG,
                                rootMib + MovingGuest.MARK_MIB,
                                LOAD_MIB,
                                DEPTH,
                                MovingGuest.MARK_MIB,
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
