# The machine at the other end of the network: takes what comes by one connection.
ip link set eth0 up
ip addr add @ADDRESS@/24 dev eth0
# A listener whose input ends would end the connection.
mkfifo /tmp/nothing
exec 9<>/tmp/nothing
nc -l -p @PORT@ <&9 >/tmp/got
emit "{\"got\":\"$(md5sum </tmp/got | cut -c1-32)\",\"bytes\":\"$(wc -c </tmp/got)\"}"
