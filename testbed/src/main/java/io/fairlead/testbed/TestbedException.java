package io.fairlead.testbed;

import java.io.IOException;

/** Something that the test-bed needs cannot be had; the message says what and what to do. */
public final class TestbedException extends IOException {
    private static final long serialVersionUID = 1L;

    TestbedException(String message) {
        super(message);
    }

    TestbedException(String message, Throwable cause) {
        super(message, cause);
    }
}
