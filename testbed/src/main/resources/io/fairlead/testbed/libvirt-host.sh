# Makes a root folder out of unpacked packages in this mount namespace, and runs libvirtd in it. Nothing of it is seen
# outside. This shell stays, as process 1: it reaps QEMUs, for whose end libvirtd waits. Arguments: the packages, the root, the host's name, and pairs of what is seen and where.
set -eu
packages=$1 root=$2
printf '%s' "$3" >/proc/sys/kernel/hostname
shift 3
for link in bin sbin lib lib64; do
    ln -sfn "usr/$link" "$root/$link"
done
mount --bind -o ro "$packages/usr" "$root/usr"
mount --rbind /dev "$root/dev"
mount --bind /sys "$root/sys"
mount -t proc proc "$root/proc"
while [ $# -gt 0 ]; do
    if [ -d "$1" ]; then
        mkdir -p "$root$2"
    else
        mkdir -p "$(dirname "$root$2")"
        : >>"$root$2"
    fi
    mount --bind "$1" "$root$2"
    shift 2
done
chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 \
    /usr/sbin/libvirtd --config /etc/libvirt/libvirtd.conf
