package io.fairlead.daemon.client;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Where a daemon listens. Thread-safe. */
interface Peer {
    /** A connection. */
    record Link(InputStream in, OutputStream out, Closeable channel) implements Closeable {
        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    /** Connects; an error names the address and the remedy. */
    Link open() throws IOException;

    /** What the header Host says. */
    String host();
}
