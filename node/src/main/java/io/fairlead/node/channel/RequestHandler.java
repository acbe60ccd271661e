package io.fairlead.node.channel;

import java.io.IOException;

/** Answers what the other node asks. Called on several threads at once. */
public interface RequestHandler {
    /**
     * Answers one request; may take its time.
     *
     * @throws IOException the reason goes to the other node as it stands
     */
    Message answer(NodeChannel channel, Message request) throws IOException;

    /** The channel ended; called once. */
    void ended(NodeChannel channel, IOException reason);
}
