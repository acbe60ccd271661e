package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A host's kernel uses our devices by VDUSE: disks with packed and with split rings as /dev/vdX, network cards as
 * interfaces, where it can a shared folder; and hands them to vhost_vdpa. The serving process is killed under load, and
 * ended under load, and the next one goes on. All of it is one script, since a word from here to there takes its time.
 */
@Timeout(600)
class VduseTest {
    private static final String MOST_FEATURES_BUT_PACKED_RINGS = "0xfffffffbffffffff";

    /** The shell prefers busybox's own programs to those on the PATH: others are named by their folder. */
    private static final String FUNCTIONS = """
            set -e
            # In memory; the folder that both sides see is no place for files that are written and read at once.
            results=$PWD
            mkdir -p /run/vduse-test
            cd /run/vduse-test
            ln -s "$results/bin" bin
            trap 'rm bin; cp * "$results"; rm -r /run/vduse-test' EXIT
            step() { echo "$(cut -d' ' -f1 /proc/uptime) $1" >>steps; }

            serve() {
                fairlead serve %1$s >"serve$1.out" 2>"serve$1.err" &
                server=$!
            }
            ready() {
                until grep -qx ready "serve$1.out"; do
                    kill -0 $server || { cat "serve$1.err" >&2; exit 1; }
                    sleep 0.1
                done
                step "process $1 is ready"
            }
            ended() {
                status=0
                wait $server || status=$?
                [ $status = "$1" ] || { echo "serve ended with $status" >&2; exit 1; }
            }

            # Several things at once: their output is shown where one fails.
            begin() {
                name=$1
                shift
                (set -e; "$@") >"$name.log" 2>&1 &
                jobs="$jobs $!:$name"
            }
            finish() {
                for job in $jobs; do
                    wait ${job%%:*} || { echo "${job#*:} failed:" >&2; cat "${job#*:}.log" >&2; exit 1; }
                done
                jobs=
            }

            # Reads back and compares what it was told is written: nothing of that may be lost.
            verify() {
                disk=$1
                shift
                fio --name=verify --filename=/dev/$disk --rw=randwrite --bs=4k --iodepth=16 --ioengine=libaio --direct=1 \\
                    --verify=crc32c --verify_fatal=1 "$@"
            }
            files() {
                verify $1 --size=8m
                bin/mke2fs -q -t ext4 /dev/$1
                mkdir /tmp/$1
                mount /dev/$1 /tmp/$1
                cp -r /tmp/files /tmp/$1/files
                umount /tmp/$1
                bin/e2fsck -fn /dev/$1
                mount /dev/$1 /tmp/$1
                diff -r /tmp/files /tmp/$1/files
                umount /tmp/$1
            }
            folder() {
                mkdir /tmp/mounted
                mount -t virtiofs share /tmp/mounted
                cmp /tmp/mounted/old /tmp/share/old
                cp -r /tmp/files /tmp/mounted/files
                diff -r /tmp/files /tmp/share/files
                umount /tmp/mounted
            }
            cards() {
                for i in 1 2; do
                    bin/ip netns add n$i
                    card=$(basename $(dirname $(grep -l 52:54:00:00:00:0$i /sys/class/net/*/address)))
                    bin/ip link set $card netns n$i
                    bin/ip -n n$i addr add 10.0.0.$i/24 dev $card
                    bin/ip -n n$i link set $card up
                done
                pings
            }
            # A processor with much to do loses some, above all of those in many pieces.
            answered() {
                count=$(bin/ip netns exec n1 bin/ping -c 20 -i 0.1 -W 5 -s $1 10.0.0.2 | sed -n 's/.* \\([0-9]*\\) received.*/\\1/p')
                echo "$count of 20 pings of $1 bytes were answered"
                [ "$count" -ge 5 ]
            }
            pings() {
                answered 56
                answered 20000
            }
            """;

    private static final String SCRIPT = """
            dmesg -c >/dev/null
            modprobe -a vduse virtio_vdpa virtio_blk virtio_net ext4 %2$s
            truncate -s 128M /tmp/d0.img /tmp/d1.img
            mkdir /tmp/share /tmp/files
            echo old >/tmp/share/old
            serve 1
            cp -r "$JAVA_HOME/conf" "$JAVA_HOME/include" /tmp/files
            dd if=/dev/urandom of=/tmp/files/random bs=1M count=8 2>/dev/null
            ready 1
            for name in d0 d1 n0 n1 %3$s; do vdpa dev add name $name mgmtdev vduse; done
            cat /sys/block/vda/size /sys/block/vdb/size >sizes
            step "devices are there"
            begin vda-files files vda
            begin vdb-files files vdb
            begin cards cards
            %4$s
            finish
            step "devices were used"

            begin vda-load verify vda --size=5m --thinktime=2000
            begin vdb-load verify vdb --size=5m --thinktime=2000
            loads=$(echo $jobs | sed 's/:[^ ]*//g')
            sleep 2
            kill -0 $loads
            kill -KILL $server
            ended 137
            serve 2
            ready 2
            sleep 1
            kill -0 $loads
            kill -TERM $server
            ended 0
            serve 3
            ready 3
            begin pings pings
            finish
            step "loads have ended, killed and ended under them"

            modprobe vhost_vdpa
            echo d1 >/sys/bus/vdpa/drivers/virtio_vdpa/unbind
            echo d1 >/sys/bus/vdpa/drivers/vhost_vdpa/bind
            test -c /dev/vhost-vdpa-0
            echo d1 >/sys/bus/vdpa/drivers/vhost_vdpa/unbind
            echo d1 >/sys/bus/vdpa/drivers/virtio_vdpa/bind
            begin vda-again verify vda --size=2m
            begin vdb-again verify vdb --size=2m
            finish
            step "vhost_vdpa had a disk and gave it back"

            for name in d0 d1 n0 n1 %3$s; do vdpa dev del $name; done
            kill -TERM $server
            ended 0
            ls /dev/vduse /run/fairlead >left
            dmesg | grep -E 'I/O error|EXT4-fs error|blocked for more|BUG:|Oops|WARNING:' >kernel-errors || true
            bin/ip netns del n1
            bin/ip netns del n2
            rm -r /tmp/d0.img /tmp/d1.img /tmp/share /tmp/files
            step "all is gone"
            """;

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    /** With a shared folder, which the older kernel does not take. */
    @Test
    void theHostsKernelUsesTheDevices() throws Exception {
        useDevices(L1Kernel.V7_3);
    }

    @Test
    @Tag("long")
    void theHostsKernelUsesTheDevicesOnTheOtherKernel() throws Exception {
        useDevices(L1Kernel.V6_12);
    }

    private static void useDevices(L1Kernel kernel) throws Exception {
        boolean hasFolder = kernel != L1Kernel.V6_12;
        String devices = "--device name=d0,type=blk,vduse=d0,path=/tmp/d0.img,queues=2"
                + " --device name=d1,type=blk,vduse=d1,path=/tmp/d1.img,features=" + MOST_FEATURES_BUT_PACKED_RINGS
                + " --device name=n0,type=net,vduse=n0,switch=s,mac=52:54:00:00:00:01"
                + " --device name=n1,type=net,vduse=n1,switch=s,mac=52:54:00:00:00:02"
                + (hasFolder ? " --device name=f0,type=fs,vduse=f0,path=/tmp/share,tag=share" : "");
        String script = (FUNCTIONS + SCRIPT)
                .formatted(
                        devices,
                        hasFolder ? "virtiofs" : "",
                        hasFolder ? "f0" : "",
                        hasFolder ? "begin folder folder" : "");
        L1Host host = L1.shared(kernel);
        Path folder = host.sharedDirectory();
        try {
            String _ = host.run(script, Lab.PATIENCE);
        } finally {
            Lab.report("%s: %s%s", kernel, text(folder, "steps"), text(folder, "pings.log"));
        }
        assertThat(text(folder, "sizes").lines()).containsExactly("262144", "262144");
        assertThat(text(folder, "serve1.out")).contains("d0: block, 2 queues, as VDUSE device d0");
        for (String taken : new String[] {"serve2", "serve3"}) {
            assertThat(text(folder, taken + ".out")).contains("d0: block, 2 queues, taken up as VDUSE device d0");
        }
        assertThat(text(folder, "serve2.err")).contains("the kernel keeps VDUSE device d0", "vdpa dev del d0");
        for (String clean : new String[] {"serve2", "serve3"}) {
            assertThat(text(folder, clean + ".out")).contains(" 0 failed").doesNotContainPattern("[1-9]\\d* failed");
        }
        assertThat(text(folder, "left").lines()).containsExactly("/dev/vduse:", "control", "", "/run/fairlead:");
        assertThat(text(folder, "kernel-errors")).isEmpty();
    }

    private static String text(Path folder, String name) throws IOException {
        Path file = folder.resolve(name);
        return Files.exists(file) ? Files.readString(file) : "";
    }
}
