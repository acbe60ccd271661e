#!/bin/busybox sh
# Runs the job that the host handed over through fw_cfg and reports on the second serial port, then powers off.
export PATH=/usr/sbin:/usr/bin:/bin:/sbin HOME=/root TERM=dumb
# An L1 host sees the files of the machine around it, those in /tmp among them.
[ -d /opt/fairlead ] || mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts 2>/dev/null
# Kept open, so that what the host sends is not dropped between two readers.
exec 3<>/dev/ttyS1
/bin/busybox stty -F /dev/ttyS1 raw -echo 115200
ip link set lo up 2>/dev/null

case " $(cat /proc/cmdline) " in
*' fairlead.login '*)
    # A guest to look around in, at its first serial port. Who logs in as root needs no password.
    modprobe -a button evdev sd_mod virtiofs
    sed -i 's/^root:x:/root::/' /etc/passwd
    busybox acpid -l /dev/null -p /run/acpid.pid
    busybox hostname guest
    while :; do
        busybox getty -L 115200 ttyS0 vt100
    done
    ;;
esac

read -r uptime idle </proc/uptime
emit "{\"event\":\"booted\",\"kernel\":\"$(uname -r)\",\"uptimeSeconds\":$uptime}"
job=/sys/firmware/qemu_fw_cfg/by_name/opt/fairlead/job/raw
if [ -r "$job" ]; then
    cat "$job" >/run/job
    sh /run/job </dev/null 3>&-
    status=$?
    emit "{\"event\":\"exit\",\"status\":$status}"
else
    emit '{"event":"failed","reason":"no job"}'
fi
exec 3>&-
# What a job left running would keep the file system from being left clean.
kill -9 -1 2>/dev/null
sync
umount -a -r 2>/dev/null
/bin/busybox poweroff -f
