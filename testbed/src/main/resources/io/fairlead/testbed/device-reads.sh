# device_reads_expect NAME DEVICE SKIP_MIB MIB: what the device holds, to compare with; reports its sum for the host.
device_reads_expect() {
    mkdir -p /tmp/reads
    dd if="$2" of="/tmp/reads/$1.expected" bs=1M skip="$3" count="$4" iflag=direct 2>/dev/null
    emit "{\"expected\":\"$1\",\"sha256\":\"$(sha256sum <"/tmp/reads/$1.expected" | cut -c1-64)\"}"
}

# device_reads_start NAME DEVICE SKIP_MIB MIB BUFFER_MIB: reads that again and again, a buffer at a time, and compares
# slowly, so that nearly always there are pages that the device wrote last and nobody has looked at.
device_reads_start() {
    sh -c '
        bytes=0; wrong=0; rounds=0
        while [ ! -e /tmp/reads/stop ]; do
            if found=$(dd if="$2" bs="$5M" skip="$(($3 / $5))" count="$(($4 / $5))" iflag=direct 2>/dev/null |
                cmp - "/tmp/reads/$1.expected" 2>&1); then
                bytes=$((bytes + $4 * 1048576))
            else
                wrong=$((wrong + 1))
                emit "{\"reads\":\"$1\",\"difference\":\"$(echo "$found" | tr -d "\\042\\134" | tail -n 1)\"}"
            fi
            rounds=$((rounds + 1))
        done
        emit "{\"reads\":\"$1\",\"verifiedBytes\":$bytes,\"rounds\":$rounds,\"wrong\":$wrong}"' sh "$@" &
    renice -n 10 -p $! >/dev/null
    device_reads_pids="$device_reads_pids $!"
}

# device_reads_stop: ends them after their round and waits for their reports.
device_reads_stop() {
    touch /tmp/reads/stop
    wait $device_reads_pids
}
