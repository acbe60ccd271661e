# What the demo's guest does: uses its devices and checks every byte that it gets back. Each check is reported by
# one line; the exit status is 0 only if all of them held.
@FUNCTIONS@
failed=0
stage() { emit "{\"stage\":\"$1\"}"; }
check() { # check NAME DETAIL COMMAND...: holds where the command succeeds
    name=$1
    detail=$2
    shift 2
    if "$@" >/tmp/check.log 2>&1; then
        emit "{\"check\":\"$name\",\"held\":true,\"detail\":\"$detail\"}"
    else
        failed=1
        emit "{\"check\":\"$name\",\"held\":false,\"detail\":\"$(tail -n 3 /tmp/check.log | tr -d '"\\' | tr '\n\t' '  ')\"}"
    fi
}
disk() { # the disk with a serial number
    for block in /sys/block/vd*; do
        if [ "$(cat "$block/serial")" = "$1" ]; then echo "/dev/${block##*/}"; fi
    done
}
drop_caches() { echo 3 >/proc/sys/vm/drop_caches; }

root=$(disk fairlead-root)
data=$(disk fairlead-data)
fixed=$(disk fairlead-fixed)

# By their paths: busybox has smaller programs of the same names.
blkdiscard=/usr/bin/blkdiscard
mke2fs=/usr/bin/mke2fs

stage "disks"
rooted() { grep -q "^$root[0-9]* / ext4" /proc/mounts; }
check "root" "the root file system is on $root" rooted
queues=$(ls "/sys/block/${data#/dev/}/mq" | wc -l)
multi() { [ "$queues" -eq @QUEUES@ ]; }
check "queues" "$data has $queues queues" multi

stage "read-only disk"
same() { [ "$(sha256sum <"$fixed" | cut -d ' ' -f 1)" = "@FIXED_SHA256@" ]; }
check "read-only content" "$fixed is the host's file, byte for byte" same
refused() { ! dd if=/dev/zero of="$fixed" bs=512 count=1; }
check "read-only refused" "a write is refused" refused

stage "fio with verify"
verified() {
    fio --name=verify --filename="$data" --rw=randwrite --bsrange=512-64k --blockalign=512 --norandommap=0 \
        --ioengine=libaio --iodepth=16 --direct=1 --verify=crc32c --verify_fatal=1 --do_verify=1 \
        --size=@VERIFY_BYTES@ --output-format=terse --output=/tmp/fio.log
}
check "fio verify" "@VERIFY_BYTES@ bytes written at random and read back" verified

stage "discard"
discarded() { "$blkdiscard" -o 0 -l @VERIFY_BYTES@ "$data"; }
check "discard" "@VERIFY_BYTES@ bytes given back" discarded
zeroed() {
    dd if=/dev/urandom of="$data" bs=1M count=4 oflag=direct && "$blkdiscard" -z -o 1048576 -l 1048576 "$data" &&
        [ "$(dd if="$data" bs=1M skip=1 count=1 iflag=direct | tr -d '\0' | wc -c)" = 0 ]
}
check "write zeroes" "1 MiB of zeroes read back" zeroed

stage "speed"
iops() { # iops KIND FIELD
    fio --name="$1" --filename="$data" --rw="$1" --bs=4k --ioengine=libaio --iodepth=32 --direct=1 --numjobs=1 \
        --size=64m --time_based --runtime=@SPEED_SECONDS@ --output-format=terse --terse-version=3 --output=/tmp/fio.log \
        >/dev/null 2>&1 && cut -d ';' -f "$2" /tmp/fio.log
}
emit "{\"speed\":\"4 KiB random reads\",\"perSecond\":$(iops randread 8)}"
emit "{\"speed\":\"4 KiB random writes\",\"perSecond\":$(iops randwrite 49)}"

stage "file system"
check "mkfs" "ext4 on $data" "$mke2fs" -q -F -t ext4 "$data"
mkdir -p /tmp/data
tree() {
    mount "$data" /tmp/data && mkdir -p /tmp/data/tree && cd /tmp/data/tree || return 1
    for folder in 0 1 2 3 4 5 6 7; do
        mkdir "$folder"
        for file in 0 1 2 3 4 5 6 7 8 9; do
            dd if=/dev/urandom of="$folder/$file" bs=$((1 + file * 1733)) count=8 2>/dev/null || return 1
        done
    done
    find . -type f | sort | xargs sha256sum >/tmp/sums && cd / && sync && umount /tmp/data
}
check "file tree" "80 files written, unmounted" tree
again() {
    drop_caches
    /usr/bin/e2fsck -f -n "$data" && mount "$data" /tmp/data && cd /tmp/data/tree && sha256sum -c /tmp/sums && cd / &&
        umount /tmp/data
}
check "file tree again" "file system clean, all checksums right" again
emit "{\"file\":\"/tree/7/9\",\"sha256\":\"$(grep ' ./7/9$' /tmp/sums | cut -d ' ' -f 1)\"}"

stage "root file system"
rootwrite() {
    dd if=/dev/urandom of=/root/demo bs=1M count=4 && sync && sum=$(sha256sum </root/demo) && drop_caches &&
        [ "$(sha256sum </root/demo)" = "$sum" ]
}
check "root file" "4 MiB written to the root disk and read back" rootwrite

stage "SCSI, shared folder, network, random numbers, sockets, console"
# Nothing loads drivers here.
for alias in /sys/bus/virtio/devices/*/modalias; do
    modprobe "$(cat "$alias")"
done
unit=/dev/$(ls /sys/bus/scsi/devices/*/block)
# fio_verified NAME FILE MIB
fio_verified() {
    fio --name="$1" --filename="$2" --rw=randwrite --bsrange=4k-64k --size="$3"m --direct=1 --ioengine=libaio \
        --iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --output-format=terse --output="/tmp/$1.log"
}
check "SCSI unit" "$unit: 16 MiB written at random and read back" fio_verified unit "$unit" 16
mkdir -p /tmp/share
shared() {
    mount -t virtiofs share /tmp/share && cp /tmp/sums /tmp/share/sums && drop_caches && cmp /tmp/sums /tmp/share/sums
}
check "shared folder" "a file written and read back" shared
ip link set eth0 up
ip addr add @ADDRESS@/24 dev eth0
reached() {
    for try in 1 2 3 4 5 6; do
        if ping -q -c 3 -w 5 @PEER@; then return 0; fi
        sleep 1
    done
    return 1
}
check "network" "the other guest answers" reached
entropy() {
    grep -q virtio_rng /sys/class/misc/hw_random/rng_current &&
        [ "$(dd if=/dev/hwrng bs=4k count=4 iflag=fullblock | wc -c)" = 16384 ]
}
check "random numbers" "16384 bytes" entropy
tell() { echo "$1" | socat -u - VSOCK-CONNECT:2:@HOST_PORT@; }
check "sockets" "a program of the host was told" tell here
if [ @CONSOLE@ = yes ]; then
    say() { echo "$1" >/dev/hvc0; }
    check "console" "a line put out" say here
fi

stage "load for the moves"
mount "$data" /tmp/data
@READS_EXPECT@
@READS_START@
moving() { # moving NAME FILE: writes and verifies it again and again, until the machine is back
    rounds=0
    while [ ! -e /tmp/moves.end ]; do
        fio_verified "$1" "$2" @MOVING_MIB@ || return 1
        rounds=$((rounds + 1))
        echo $rounds >"/tmp/$1.rounds"
    done
}
journal() { # numbered lines to a file of the shared folder that is open and locked all the time
    (
        flock -x 8 || exit 1
        lines=0
        while [ ! -e /tmp/moves.end ]; do
            lines=$((lines + 1))
            echo $lines >&8 || exit 1
            sleep 0.01
        done
        emit "{\"journalLines\":$lines}"
    ) 8>/tmp/share/journal
}
stream() { # random bytes, of which a copy is kept
    while [ ! -e /tmp/moves.end ]; do
        head -c 16384 /dev/urandom
        sleep 0.05
    done
}
moving data /tmp/data/moving >/tmp/moving.out 2>&1 &
on_data=$!
moving scsi "$unit" >/tmp/moving-scsi.out 2>&1 &
on_unit=$!
journal >/tmp/journal.out 2>&1 &
on_share=$!
stream | tee /tmp/streamed | nc @PEER@ @PORT@ >/tmp/stream.out 2>&1 &
on_net=$!
ping -q -i 0.02 @PEER@ >/tmp/pings &
pings=$!
heartbeat_processor 0
emit '{"at":"loaded"}'
receive >/dev/null
touch /tmp/moves.end
kill -INT "$pings"
check "fio on the data disk during the moves" "@MOVING_MIB@ MiB written, read back and verified, again and again" \
    wait "$on_data"
check "fio on the SCSI unit during the moves" "@MOVING_MIB@ MiB written, read back and verified, again and again" \
    wait "$on_unit"
kept() { wait "$on_share" || { cat /tmp/journal.out; false; }; }
check "locked file during the moves" "written to all the time" kept
wait "$on_net"
emit "{\"streamed\":\"$(md5sum </tmp/streamed | cut -c1-32)\"}"
wait "$pings"
answered() { sed -n 's/.* \([0-9]*\) packets received.*/\1/p' /tmp/pings; }
asked=$(sed -n 's/\([0-9]*\) packets transmitted.*/\1/p' /tmp/pings)
alive() { [ "$(answered)" -gt 0 ]; }
check "pings during the moves" "$(answered) of $asked answered, one every 20 ms" alive
@READS_STOP@
emit "{\"movingRounds\":$(($(cat /tmp/data.rounds) + $(cat /tmp/scsi.rounds)))}"
umount /tmp/data
stage "random numbers, sockets and console again"
check "random numbers again" "16384 bytes" entropy
check "sockets again" "a program of the host was told" tell back
if [ @CONSOLE@ = yes ]; then
    check "console again" "a line put out" say back
fi
check "shared folder again" "unmounted" umount /tmp/share

stage "end"
quiet() { ! dmesg | grep -iE "i/o error|buffer i/o|virtio.*(fail|error)" | grep -v "dev ${fixed#/dev/}"; }
check "kernel log" "no I/O error" quiet
exit "$failed"
