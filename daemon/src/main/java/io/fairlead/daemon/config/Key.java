package io.fairlead.daemon.config;

import java.util.Arrays;
import java.util.Optional;

/** What can be said in a configuration file: name, default and meaning. An empty default is: not set. */
public enum Key {
    NAME("name", "", "The host's name, for other hosts and messages. Default: the system's."),
    STATE_FOLDER(
            "state-folder",
            "/var/lib/fairlead",
            "What the daemon must not forget: devices, machines, operations. Of one daemon alone."),
    RUN_FOLDER(
            "run-folder",
            "",
            "Sockets and logs of devices and machines; a short path, since Unix sockets lie in it."
                    + " Default: run in the state-folder."),
    SOCKET("socket", "", "Where the daemon takes requests. Default: fairlead.sock in the run-folder."),
    SOCKET_GROUP(
            "socket-group",
            "",
            "The group whose members may use the socket, and with it the host's machines. Default: nobody but the"
                    + " daemon's user."),
    LISTEN(
            "listen",
            "",
            "HOST:PORT where machines come from other hosts' daemons, and from where they go to them. Default: nowhere;"
                    + " machines stay."),
    API_LISTEN(
            "api-listen",
            "",
            "HOST:PORT where requests are taken by TLS, from clients with a certificate of the same authority."
                    + " Default: nowhere."),
    CERTIFICATES(
            "certificates",
            "",
            "The folder of this host's certificates ('fairlead certificates create'); needed for listen and"
                    + " api-listen."),
    QEMU("qemu", "/usr/bin/qemu-system-x86_64", "The QEMU that runs machines."),
    THREADS("threads", "0", "Threads that serve queues; 0 for one a processor.");

    private final String word;
    private final String defaultValue;
    private final String meaning;

    Key(String word, String defaultValue, String meaning) {
        this.word = word;
        this.defaultValue = defaultValue;
        this.meaning = meaning;
    }

    /** As in the file. */
    public String word() {
        return word;
    }

    public String defaultValue() {
        return defaultValue;
    }

    public String meaning() {
        return meaning;
    }

    static Optional<Key> of(String word) {
        return Arrays.stream(values()).filter(key -> key.word.equals(word)).findFirst();
    }
}
