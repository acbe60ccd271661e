package io.fairlead.systemtests;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** What is to be closed together: the last goes first, and all go, whatever fails. One thread. */
final class Parts implements AutoCloseable {
    private final Deque<Part> parts = new ArrayDeque<>();

    /** How one is closed. */
    interface Part {
        void close() throws IOException;
    }

    void add(Part part) {
        parts.push(part);
    }

    @Override
    public void close() throws IOException {
        @Nullable IOException failure = null;
        while (!parts.isEmpty()) {
            try {
                parts.pop().close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
