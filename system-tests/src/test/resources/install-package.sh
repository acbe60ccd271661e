#!/bin/sh
# install-package.sh PACKAGE FOLDER CHECKS: installs a Debian package on a copy of this system, runs the script CHECKS
# there, removes and purges the package, and prints what is left. Within a mount namespace of its own; the system itself
# stays as it is.
set -eu
package=$(readlink -f "$1")
folder=$(readlink -f "$2")
checks=$(readlink -f "$3")

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
for own in proc dev sys; do
    mount --rbind "/$own" "$folder/root/$own"
done
mount -t tmpfs -o mode=755 tmpfs "$folder/root/run"
mount -t tmpfs tmpfs "$folder/root/tmp"
cp "$package" "$folder/root/tmp/package.deb"
cp "$checks" "$folder/root/tmp/checks.sh"

in_copy() { chroot "$folder/root" env DEBIAN_FRONTEND=noninteractive "$@"; }

cp /etc/group "$folder/group.before"
in_copy dpkg -i /tmp/package.deb
in_copy sh -eu /tmp/checks.sh
in_copy dpkg --remove fairlead
echo "after removal: $(in_copy find /etc/fairlead -type f)"
in_copy dpkg --purge fairlead
cmp /etc/group "$folder/root/etc/group" || echo "left: the group"
# What was deleted is a character device in an overlay; what the tools note for themselves is not the package's.
(cd "$folder/upper" && find . ! -type c ! -type d | grep -vE '^\./(var/(lib/dpkg|log|cache)|etc/(g?shadow|group|passwd|ld\.so\.cache|\.pwd\.lock)|tmp|run)' |
    sed 's/^/left: /') || true
(cd "$folder/upper" && find . ! -type c -name '*fairlead*' | grep -v '^./var/lib/dpkg' | sed 's/^/left: /') || true
echo finished
