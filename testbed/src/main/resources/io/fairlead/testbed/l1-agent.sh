# Runs what the outer machine asks for: scripts in the shared folder, by number, each in a session of its own.
shared='@SHARED@'
mkdir -p "$shared"
mount -t 9p -o trans=virtio,version=9p2000.L,rw,msize=1048576,cache=mmap shared "$shared" || exit 1
mkdir -p /opt/fairlead/bin
/bin/busybox --install -s /opt/fairlead/bin
[ -e /sbin/modprobe ] || ln -s /bin/busybox /sbin/modprobe
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null

run() {
    cd "$shared" || exit 1
    setsid sh "./$1.sh" >"$1.out" 2>"$1.err" </dev/null &
    echo $! >"$1.pid"
    wait $!
    emit "{\"event\":\"done\",\"id\":$1,\"status\":$?}"
}

while :; do
    line=$(receive)
    case "$line" in
    run\ *) run "${line#run }" & ;;
    signal\ *)
        set -- $line
        kill "-$3" "-$(cat "$shared/$2.pid")"
        ;;
    end) break ;;
    esac
done
exit 0
