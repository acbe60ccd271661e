#!/bin/busybox sh
# The first program of an L1 host. Its root is that of the machine which emulates it, by 9p and read only; what is written
# goes to memory. fairlead.modules-at= is where that machine keeps this kernel's modules.
export PATH=/usr/bin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
modules=
for word in $(cat /proc/cmdline); do
    case "$word" in
    fairlead.modules-at=*) modules=${word#fairlead.modules-at=} ;;
    esac
done

fail() {
    echo "fairlead: $1"
    echo "@fairlead {\"event\":\"failed\",\"reason\":\"$1\"}" >/dev/ttyS1
    poweroff -f
}

modprobe -a qemu_fw_cfg 9pnet_virtio 9p overlay || fail "modules of the first file system are missing"
mkdir -p /lower /upper
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=1048576,cache=loose hostroot /lower \
    || fail "cannot mount the outer machine's root"
mount -t tmpfs -o size=75% upper /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /root \
    || fail "cannot lay memory over the outer machine's root"

# Our own programs: busybox for scripts, and the two words that jobs know.
cp /bin/busybox /root/bin/busybox
mkdir -p /root/opt/fairlead /root/lib/modules /root/sys /root/proc /root/dev
cp /sbin/fairlead-init /root/opt/fairlead/init
cp /usr/bin/emit /usr/bin/receive /root/usr/bin/
rm -rf "/root/lib/modules/$(uname -r)"
ln -s "$modules" "/root/lib/modules/$(uname -r)"
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
exec switch_root /root /opt/fairlead/init
