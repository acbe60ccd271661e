#!/bin/busybox sh
# receive: waits for a line from the host and prints it.
read -r line </dev/ttyS1
echo "$line"
