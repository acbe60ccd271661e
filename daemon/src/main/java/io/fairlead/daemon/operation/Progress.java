package io.fairlead.daemon.operation;

import java.util.function.BooleanSupplier;
import tools.jackson.databind.node.ObjectNode;

/** What an operation tells while it runs. Any thread. */
public interface Progress {
    /** A step begins: a word or a few. */
    void phase(String phase);

    /** Something that the user should know. */
    void note(String text);

    /** Numbers that grow; the object belongs to the operation from now on. */
    void progress(ObjectNode numbers);

    /**
     * From now on it can be taken back.
     *
     * @param cancel asks for it, without waiting; answers false where it is too late
     */
    void cancellable(BooleanSupplier cancel);
}
