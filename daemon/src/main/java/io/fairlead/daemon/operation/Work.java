package io.fairlead.daemon.operation;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/** What an operation does, on a thread of its own. */
@FunctionalInterface
public interface Work {
    /**
     * Does it.
     *
     * @return the operation's result, null where there is none to tell
     * @throws CancelledException where it was taken back
     * @throws Exception where it failed; the message is the user's
     */
    @Nullable
    ObjectNode run(Progress progress) throws Exception;
}
