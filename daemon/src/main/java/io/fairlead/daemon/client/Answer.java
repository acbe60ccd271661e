package io.fairlead.daemon.client;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/**
 * An answer of HTTP/1.1 (RFC 9112), as far as a daemon gives them: a header of a bounded size, and a body of a known
 * length, in chunks, or up to the end. Belongs to one thread.
 */
final class Answer {
    private static final int MAX_LINE_BYTES = 16_384;
    private static final int MAX_HEADERS = 100;
    private static final long UNKNOWN = -1;

    private final int status;
    private final InputStream body;

    private Answer(int status, InputStream body) {
        this.status = status;
        this.body = body;
    }

    static Answer read(InputStream in) throws IOException {
        String start = line(in);
        if (!start.matches("HTTP/1\\.1 [1-5][0-9]{2}( .*)?")) {
            throw new IOException("what listens there does not speak HTTP/1.1");
        }
        int status = Integer.parseInt(start.substring(9, 12));
        long length = UNKNOWN;
        boolean isChunked = false;
        for (int i = 0; ; i++) {
            String line = line(in);
            if (line.isEmpty()) {
                break;
            }
            int colon = line.indexOf(':');
            if (colon < 0 || i == MAX_HEADERS) {
                throw new IOException("the answer's header is broken");
            }
            String name = line.substring(0, colon);
            String value = line.substring(colon + 1).strip();
            if (name.equalsIgnoreCase("Content-Length")) {
                length = number(value, 10);
            } else if (name.equalsIgnoreCase("Transfer-Encoding")) {
                isChunked = value.equalsIgnoreCase("chunked");
            }
        }
        if (status == 204) {
            length = 0;
        }
        return new Answer(status, new Body(in, isChunked ? 0 : length, isChunked));
    }

    int status() {
        return status;
    }

    /** The body; broken off, it ends with an exception. */
    InputStream body() {
        return body;
    }

    /** A line without its end. */
    static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new EOFException("the daemon closed the connection");
            }
            if (line.length() == MAX_LINE_BYTES) {
                throw new IOException("the answer has a line that is too long");
            }
            line.append((char) c);
        }
        int length = line.length();
        return length > 0 && line.charAt(length - 1) == '\r' ? line.substring(0, length - 1) : line.toString();
    }

    private static long number(String text, int radix) throws IOException {
        try {
            long number = Long.parseLong(text, radix);
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException _) {
            // Said below.
        }
        throw new IOException("the answer has a length that is none");
    }

    private static final class Body extends InputStream {
        private final InputStream in;
        private final boolean isChunked;
        /** Bytes left of the body, or of the chunk. */
        private long left;

        private boolean isFirst = true;
        private boolean ended;

        Body(InputStream in, long left, boolean isChunked) {
            this.in = in;
            this.left = left;
            this.isChunked = isChunked;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            if (length == 0) {
                return 0;
            }
            if (isChunked && left == 0 && !ended) {
                nextChunk();
            }
            if (ended || left == 0) {
                return -1;
            }
            int count = in.read(bytes, offset, left == UNKNOWN ? length : (int) Math.min(left, length));
            if (count < 0) {
                if (left != UNKNOWN) {
                    throw new EOFException("the daemon's answer broke off");
                }
                return -1;
            }
            left -= left == UNKNOWN ? 0 : count;
            return count;
        }

        private void nextChunk() throws IOException {
            if (!isFirst && !line(in).isEmpty()) {
                throw new IOException("the answer's chunks are broken");
            }
            isFirst = false;
            String size = line(in);
            int extension = size.indexOf(';');
            left = number((extension < 0 ? size : size.substring(0, extension)).strip(), 16);
            if (left == 0) {
                ended = true;
            }
        }
    }

    /** The whole body. */
    byte[] bytes(int mostBytes) throws IOException {
        byte[] bytes = body.readNBytes(mostBytes);
        if (bytes.length == mostBytes && body.read() >= 0) {
            throw new IOException("the answer has more than " + mostBytes + " bytes");
        }
        return bytes;
    }
}
