package io.fairlead.systemtests;

/** A program of a guest that holds a file of a shared file system open and locked, and writes and checks it all the time. */
final class FsHolder {
    /** Mounts the file system of the tag {@code home}, goes there, and starts the program, which lies in it. */
    static final String START = """
            modprobe virtiofs
            mkdir -p /mnt/home
            mount -t virtiofs home /mnt/home
            cd /mnt/home
            mkfifo /tmp/end
            sleep 10000 >/tmp/end &
            keeper=$!
            ./fs-holder held /tmp/end >/tmp/said &
            holder=$!
            until grep -q held /tmp/said; do sleep 0.1; done
            """;

    /** Ends the program and reports its {@code status} and what it {@code said} last. */
    static final String END = """
            echo end >/tmp/end
            wait $holder
            emit "{\\"status\\":$?,\\"said\\":\\"$(tail -n 1 /tmp/said)\\"}"
            kill $keeper
            """;

    private FsHolder() {}
}
