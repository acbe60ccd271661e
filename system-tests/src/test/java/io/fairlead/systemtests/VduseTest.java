package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.L1Command;
import io.fairlead.testbed.L1Host;
import io.fairlead.testbed.L1Kernel;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A host's kernel uses our devices by VDUSE: disks with packed and with split rings as /dev/vdX, network cards as
 * interfaces, where it can a shared folder; and hands them to vhost_vdpa. The serving process is killed under load.
 */
@Timeout(900)
class VduseTest {
    private static final String MOST_FEATURES_BUT_PACKED_RINGS = "0xfffffffbffffffff";

    private static final List<String> DEVICES = List.of(
            "name=d0,type=blk,vduse=d0,path=/tmp/d0.img,queues=2",
            "name=d1,type=blk,vduse=d1,path=/tmp/d1.img,features=" + MOST_FEATURES_BUT_PACKED_RINGS,
            "name=n0,type=net,vduse=n0,switch=s,mac=52:54:00:00:00:01",
            "name=n1,type=net,vduse=n1,switch=s,mac=52:54:00:00:00:02");

    private static final String FS = "name=f0,type=fs,vduse=f0,path=/tmp/share,tag=share";

    @RegisterExtension
    static final L1Lab L1 = new L1Lab();

    @ParameterizedTest
    @EnumSource
    void theHostsKernelUsesTheDevices(L1Kernel kernel) throws Exception {
        boolean hasFs = kernel != L1Kernel.V6_12;
        L1Host host = L1.shared(kernel);
        String _ = run(host, "modprobe -a vduse virtio_vdpa virtio_blk virtio_net ext4" + (hasFs ? " virtiofs" : ""));
        String _ = run(host, "truncate -s 128M /tmp/d0.img /tmp/d1.img; mkdir /tmp/share; echo old >/tmp/share/old");
        L1Command serve = serve(host, hasFs);
        for (String name : List.of("d0", "d1", "n0", "n1")) {
            String _ = run(host, "vdpa dev add name %s mgmtdev vduse".formatted(name));
        }
        disksAreVerified(host);
        cardsReachEachOther(host);
        if (hasFs) {
            aSharedFolderIsMounted(host);
        }
        serve = killedUnderLoad(host, serve, hasFs);
        cardsReachEachOther(host);
        vhostVdpaTakesADisk(host);
        serve = endedAndTakenUp(host, serve, hasFs);
        String _ = run(host, "for name in d0 d1 n0 n1%s; do vdpa dev del $name; done".formatted(hasFs ? " f0" : ""));
        terminate(serve);
        assertThat(run(host, "ls /dev/vduse; echo records:; ls /run/fairlead").lines())
                .containsExactly("control", "records:");
        assertThat(run(host, "dmesg | grep -E 'I/O error|EXT4-fs error|blocked for more|BUG:|Oops|WARNING:' || true"))
                .isEmpty();
        String _ = run(host, "bin/ip netns del n1; bin/ip netns del n2; rm -r /tmp/d0.img /tmp/d1.img /tmp/share");
    }

    /** The shell prefers busybox's own programs to those on the PATH: others are named by their folder. */
    private static String run(L1Host host, String script) throws IOException, InterruptedException {
        return host.run("set -e\n" + script, Lab.PATIENCE);
    }

    private static L1Command serve(L1Host host, boolean hasFs) throws IOException, InterruptedException {
        StringBuilder words = new StringBuilder("exec fairlead serve");
        DEVICES.forEach(device -> words.append(" --device ").append(device));
        if (hasFs) {
            words.append(" --device ").append(FS);
        }
        L1Command serve = host.start(words.toString());
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (!serve.output().contains("ready\n")) {
            if (System.nanoTime() - end > 0) {
                throw new IOException("fairlead serve is not ready: " + serve.output() + serve.errors());
            }
            Thread.sleep(100);
        }
        return serve;
    }

    private static void terminate(L1Command serve) throws IOException, InterruptedException {
        serve.signal("TERM");
        assertThat(serve.awaitExit(Lab.PATIENCE)).as(serve.errors()).isZero();
        assertThat(serve.output()).contains(" 0 failed").doesNotContainPattern("[1-9]\\d* failed");
        Lab.report("%s", serve.output());
    }

    private static String verify(String name, String disk, String more) {
        return """
                fio --name=%s --filename=/dev/%s --rw=randwrite --bs=4k --size=16m --iodepth=16 --ioengine=libaio \
                    --direct=1 --verify=crc32c --verify_fatal=1 %s >/tmp/fio-%s.out 2>&1 \
                    || { cat /tmp/fio-%s.out; exit 1; }
                """.formatted(name, disk, more, name, name);
    }

    private static void disksAreVerified(L1Host host) throws IOException, InterruptedException {
        assertThat(run(host, "cat /sys/block/vda/size /sys/block/vdb/size").lines())
                .containsExactly("262144", "262144");
        String _ = run(host, verify("a", "vda", "") + verify("b", "vdb", ""));
        String _ = run(host, """
                for disk in vda vdb; do
                    bin/mke2fs -q -t ext4 /dev/$disk
                    mkdir -p /tmp/$disk
                    mount /dev/$disk /tmp/$disk
                    cp -r /usr/include/linux /tmp/$disk/files
                    umount /tmp/$disk
                    bin/e2fsck -fn /dev/$disk
                    mount /dev/$disk /tmp/$disk
                    diff -r /usr/include/linux /tmp/$disk/files
                    umount /tmp/$disk
                done""");
    }

    private static void cardsReachEachOther(L1Host host) throws IOException, InterruptedException {
        String answered = run(host, """
                for i in 1 2; do
                    [ -e /run/netns/n$i ] && continue
                    bin/ip netns add n$i
                    card=$(basename $(dirname $(grep -l 52:54:00:00:00:0$i /sys/class/net/*/address)))
                    bin/ip link set $card netns n$i
                    bin/ip -n n$i addr add 10.0.0.$i/24 dev $card
                    bin/ip -n n$i link set $card up
                done
                bin/ip netns exec n1 bin/ping -q -c 20 -i 0.1 -W 10 10.0.0.2
                bin/ip netns exec n1 bin/ping -q -c 5 -i 0.1 -W 10 -s 20000 10.0.0.2""");
        assertThat(answered).contains("20 received", "5 received");
    }

    private static void aSharedFolderIsMounted(L1Host host) throws IOException, InterruptedException {
        String _ = run(host, """
                vdpa dev add name f0 mgmtdev vduse
                mkdir -p /tmp/mounted
                mount -t virtiofs share /tmp/mounted
                cmp /tmp/mounted/old /tmp/share/old
                cp -r "$JAVA_HOME/conf" /tmp/mounted/files
                diff -r "$JAVA_HOME/conf" /tmp/share/files
                umount /tmp/mounted""");
    }

    /** fio reads back and compares what it was told is written: nothing of that may be lost. */
    private static L1Command killedUnderLoad(L1Host host, L1Command serve, boolean hasFs)
            throws IOException, InterruptedException {
        List<L1Command> loads = List.of(
                host.start(verify("ka", "vda", "--rate_iops=400 --loops=2")),
                host.start(verify("kb", "vdb", "--rate_iops=400 --loops=2")));
        Thread.sleep(6000);
        serve.signal("KILL");
        int _ = serve.awaitExit(Lab.PATIENCE);
        L1Command next = serve(host, hasFs);
        assertThat(next.output()).contains("d0: block, 2 queues, taken up as VDUSE device d0");
        for (L1Command load : loads) {
            String _ = load.awaitSuccess(Lab.PATIENCE);
        }
        return next;
    }

    private static void vhostVdpaTakesADisk(L1Host host) throws IOException, InterruptedException {
        String _ = run(host, """
                modprobe vhost_vdpa
                echo d1 >/sys/bus/vdpa/drivers/virtio_vdpa/unbind
                echo d1 >/sys/bus/vdpa/drivers/vhost_vdpa/bind
                test -c /dev/vhost-vdpa-0
                echo d1 >/sys/bus/vdpa/drivers/vhost_vdpa/unbind
                echo d1 >/sys/bus/vdpa/drivers/virtio_vdpa/bind""");
        String _ = run(host, verify("c", "vdb", ""));
    }

    private static L1Command endedAndTakenUp(L1Host host, L1Command serve, boolean hasFs)
            throws IOException, InterruptedException {
        terminate(serve);
        assertThat(serve.errors()).contains("the kernel keeps VDUSE device d0", "vdpa dev del d0");
        L1Command next = serve(host, hasFs);
        String _ = run(host, verify("e", "vda", "") + verify("f", "vdb", ""));
        return next;
    }
}
