package io.fairlead.qemu;

import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Cuts a stream of bytes into lines without their ends (LF or CR LF); a line that grows too long is cut. One thread. */
final class LineCutter {
    private final byte[] line;
    private final Consumer<String> consumer;
    private int length;

    LineCutter(int maxBytes, Consumer<String> consumer) {
        this.line = new byte[maxBytes];
        this.consumer = consumer;
    }

    void take(byte[] bytes, int count) {
        for (int i = 0; i < count; i++) {
            if (bytes[i] == '\n') {
                emit(length > 0 && line[length - 1] == '\r' ? length - 1 : length);
            } else {
                if (length == line.length) {
                    emit(length);
                }
                line[length++] = bytes[i];
            }
        }
    }

    /** Hands over what stands after the last line end. */
    void finish() {
        if (length > 0) {
            emit(length);
        }
    }

    private void emit(int count) {
        String text = new String(line, 0, count, StandardCharsets.UTF_8);
        length = 0;
        consumer.accept(text);
    }
}
