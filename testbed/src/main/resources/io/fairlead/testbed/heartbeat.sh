# Hearts of disks and folders run before everything else, or as heartbeat_nice says.

# heartbeat_port CARD: the terminal of a serial card, 0 for the first.
heartbeat_port() {
    for heartbeat_tty in /sys/class/tty/ttyS*; do
        case "$(readlink "$heartbeat_tty")" in
        */pci*) echo "$(readlink "$heartbeat_tty") /dev/${heartbeat_tty##*/}" ;;
        esac
    done | sort | sed -n "$(($1 + 1))s/.* //p"
}

# heartbeat_processor CARD: a line each millisecond, or about as often as the guest can.
heartbeat_processor() {
    heartbeat_to=$(heartbeat_port "$1")
    stty -F "$heartbeat_to" raw -echo 115200
    [ -p /tmp/heartbeat-never ] || mkfifo /tmp/heartbeat-never
    sh -c 'exec 8>"$1" 9<>/tmp/heartbeat-never
        while :; do read -t 0.001 _ <&9; echo >&8; done' sh "$heartbeat_to" &
    renice -n -19 -p $! >/dev/null
}

# heartbeat_disk CARD DEVICE SKIP_SECTORS SECTORS: a line for each block of 512 bytes that a process has read from the
# device itself, one after the other. Each block holds one line end and else zeros.
heartbeat_disk() {
    heartbeat_to=$(heartbeat_port "$1")
    stty -F "$heartbeat_to" raw -echo 115200
    sh -c 'while dd if="$2" iflag=direct bs=512 skip="$3" count="$4" 2>/dev/null; do :; done | tr -d "\\0" >"$1"' \
        sh "$heartbeat_to" "$2" "$3" "$4" &
    renice -n "${heartbeat_nice:--18}" -p $! >/dev/null
}

# heartbeat_folder CARD FOLDER: a line each time that a process has written a file there, which it made or emptied, and
# read it back; 64 files in turn.
heartbeat_folder() {
    heartbeat_to=$(heartbeat_port "$1")
    stty -F "$heartbeat_to" raw -echo 115200
    sh -c 'exec 8>"$1"
        cd "$2" || exit
        n=0
        while :; do
            n=$(((n + 1) % 64))
            echo "$n" >"beat.$n" && read -r beat <"beat.$n" && [ "$beat" = "$n" ] && echo >&8
        done' sh "$heartbeat_to" "$2" &
    renice -n "${heartbeat_nice:--18}" -p $! >/dev/null
}
