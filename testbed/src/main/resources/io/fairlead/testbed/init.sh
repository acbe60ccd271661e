#!/bin/busybox sh
# The guest's first program. Loads the modules that find the root disk and goes on there, or stays in this first file
# system where the kernel's arguments say fairlead.root=none.
export PATH=/usr/bin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null

root=LABEL=fairlead-root
modules=
for word in $(cat /proc/cmdline); do
    case "$word" in
    fairlead.root=*) root=${word#fairlead.root=} ;;
    fairlead.modules=*) modules=$(echo "${word#fairlead.modules=}" | tr , ' ') ;;
    esac
done

modprobe -a qemu_fw_cfg $modules 2>/dev/null
for alias in /sys/bus/virtio/devices/*/modalias; do
    [ -e "$alias" ] && modprobe "$(cat "$alias")" 2>/dev/null
done

if [ "$root" = none ]; then
    exec /sbin/fairlead-init
fi

modprobe -a ext4 sd_mod 2>/dev/null
tries=0
while :; do
    case "$root" in
    LABEL=*) device=$(findfs "$root" 2>/dev/null) ;;
    *) device=$root ;;
    esac
    if [ -n "$device" ] && [ -b "$device" ]; then
        break
    fi
    tries=$((tries + 1))
    if [ "$tries" -ge 100 ]; then
        echo "fairlead: no root disk $root within 10 s"
        echo '@fairlead {"event":"failed","reason":"no root disk"}' >/dev/ttyS1
        poweroff -f
    fi
    sleep 0.1
done
if [ "$(cat /sys/class/block/"${device#/dev/}"/ro)" = 1 ]; then mode=ro; else mode=rw; fi
if ! mount -t ext4 -o "$mode" "$device" /root; then
    echo "fairlead: cannot mount $device"
    echo '@fairlead {"event":"failed","reason":"cannot mount the root disk"}' >/dev/ttyS1
    poweroff -f
fi
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
exec switch_root /root /sbin/fairlead-init
