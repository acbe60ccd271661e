package io.fairlead.node.migration;

/** The words of the protocol between two nodes about a migration. All are asked by the source and answered. */
public final class Kind {
    /**
     * {@code machine}, {@code devices} in the order of the machine, each with {@code name}, {@code type}, {@code
     * attributes} and whether it is {@code owned} by the machine; the domain document, then a provisional state of each
     * device. Answered when a QEMU waits for the machine.
     */
    public static final String EXPECT = "expect";
    /** {@code machine}: it was expected and does not come. */
    public static final String DISMISS = "dismiss";
    /** What both machines are: {@code machine}. */
    public static final String DESCRIBE = "describe";
    /**
     * {@code migration}, {@code machine}, {@code plan}, {@code source}, {@code replugged}, the names of devices that leave
     * the machine and come back to it; the provisional states of the others. Answer: {@code port}.
     */
    public static final String PREPARE = "prepare";
    /** {@code migration}; the final states. Answered when they are valid and applied. */
    public static final String STATES = "states";
    /**
     * {@code migration}, {@code address}, {@code byteCount}, {@code last} as 0 or 1; the hashes of a piece of the stopped
     * machine's memory. After the states, for a self-check.
     */
    public static final String MEMORY = "memory";
    /** {@code migration}. Answered with what became of the machine; may be asked again and again. */
    public static final String GRANT = "grant";
    /** {@code migration}, {@code reason}: do not run it. Answered as {@link #GRANT} is. */
    public static final String WITHDRAW = "withdraw";
    /** {@code migration}: the source works on no request in flight any more. */
    public static final String SETTLED = "settled";
    /** {@code migration}: the source will never ask again. */
    public static final String FORGET = "forget";
    /**
     * {@code machine}: asked after it was moved here. Answered when its devices are plugged in again, with {@code devices}:
     * {@code device} and {@code problem}, which is empty where a driver uses it.
     */
    public static final String REPLUGGED = "replugged";

    private Kind() {}
}
