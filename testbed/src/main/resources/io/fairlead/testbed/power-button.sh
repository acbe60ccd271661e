#!/bin/busybox sh
sync
umount -a -r 2>/dev/null
/bin/busybox poweroff -f
