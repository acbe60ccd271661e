package io.fairlead.node.channel;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** The other node, as long as a connection to it holds. */
public interface Peer {
    /** See {@link NodeChannel#ask}. */
    CompletableFuture<Message> ask(Message request);

    /** See {@link NodeChannel#call}. */
    Message call(Message request, Duration deadline) throws IOException;

    /** Completed with the reason when the connection has ended. */
    CompletableFuture<IOException> end();

    /** Finds the other node, again and again. */
    interface Link {
        /** Connects, or answers with the connection that holds. */
        Peer connect() throws IOException;
    }
}
