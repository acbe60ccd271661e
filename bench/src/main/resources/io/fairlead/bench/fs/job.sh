# Does what the host says on the file system that it says, and tells how many operations that were in what time.
modprobe virtiofs
for name in fairlead virtiofsd; do
    mkdir -p /mnt/$name
    mount -t virtiofs $name /mnt/$name || exit 1
    dd if=/dev/zero of=/mnt/$name/data bs=1M count=$DATA_MIB 2>/dev/null || exit 1
    mkdir /mnt/$name/many
done

# In hundredths of a second.
now() {
    read -r up _ </proc/uptime
    now=${up%.*}${up#*.}
    now=${now#0}
}

data() {
    fio --name=data --filename=/mnt/$server/data --rw=$1 --bs=$2 --iodepth=$3 --ioengine=libaio --direct=1 \
        --size=${DATA_MIB}m --time_based --runtime=$SECONDS_EACH --norandommap --randrepeat=0 \
        --output-format=terse --terse-version=3 --output=/tmp/fio.txt >/tmp/fio-said.txt 2>&1 || return 1
    case $1 in
        *read) iops=$(cut -d';' -f8 /tmp/fio.txt) && millis=$(cut -d';' -f9 /tmp/fio.txt) ;;
        *) iops=$(cut -d';' -f49 /tmp/fio.txt) && millis=$(cut -d';' -f50 /tmp/fio.txt) ;;
    esac
    count=$((iops * millis / 1000))
    took=$((millis / 10))
}

# A loop of the shell's own, without processes: one open with O_CREAT and one close each.
create() {
    cd /mnt/$server/many
    now; start=$now
    i=0
    while [ $i -lt $FILES ]; do
        : >file$i || return 1
        i=$((i + 1))
    done
    now; took=$((now - start)); count=$FILES
}

forget() {
    cd /
    sync
    echo 3 >/proc/sys/vm/drop_caches
}

readdir() {
    forget
    now; start=$now
    for round in 1 2 3; do
        found=$(ls /mnt/$server/many | wc -l)
        [ "$found" -ge $FILES ] || return 1
        echo 2 >/proc/sys/vm/drop_caches
    done
    now; took=$((now - start)); count=$((3 * FILES))
}

look() {
    cd /mnt/$server/many
    now; start=$now
    i=0
    while [ $i -lt $FILES ]; do
        [ -f file$i ] || return 1
        i=$((i + 1))
    done
    now; took=$((now - start)); count=$FILES
}

# Files that the guest does not know.
stat() {
    forget
    look
}

# Files that it knows, whose attributes are too old.
again() {
    sleep 1.2
    look
}

# Opens, reads and closes each.
small() {
    cd /mnt/$server/many
    now; start=$now
    i=0
    while [ $i -lt $FILES ]; do
        read -r line <file$i
        i=$((i + 1))
    done
    now; took=$((now - start)); count=$FILES
}

remove() {
    cd /mnt/$server/many
    now; start=$now
    rm -f file* || return 1
    now; took=$((now - start)); count=$FILES
}

emit '{"at":"ready"}'
while :; do
    order=$(receive)
    case $order in
        end) break ;;
    esac
    set -- $order
    run=$1 server=$2
    shift 2
    count=0 took=0
    if "$@"; then
        emit "{\"run\":$run,\"count\":$count,\"centis\":$took}"
    else
        emit "{\"run\":$run,\"failed\":\"$* $(tail -n 2 /tmp/fio-said.txt 2>/dev/null | tr -d '"\\' | tr '\n' ';')\"}"
    fi
    cd /
done
