#!/bin/busybox sh
# emit JSON: reports one result line to the host.
echo "@fairlead $*" >/dev/ttyS1
