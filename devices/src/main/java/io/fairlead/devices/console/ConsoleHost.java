package io.fairlead.devices.console;

/** The host's side of a console. Thread-safe. */
interface ConsoleHost extends AutoCloseable {
    /** What the guest put out; whoever puts more says {@link #outputCame}. */
    ByteRing output();

    /** What the guest may read. */
    ByteRing input();

    /** There is more of {@link #output}. Must not wait. */
    void outputCame();

    /** The guest has taken some of {@link #input}. Must not wait. */
    void inputTaken();

    /** Who is to be told that there is input; on any thread. */
    void onInput(Runnable listener);

    /** Puts out what is left, as far as that does not wait for anybody. */
    @Override
    void close();
}
