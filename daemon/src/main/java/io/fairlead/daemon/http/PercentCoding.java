package io.fairlead.daemon.http;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Percent-encoding of URIs (RFC 3986, 2.1), decoded once and strictly. */
final class PercentCoding {
    private PercentCoding() {}

    /**
     * Decodes a segment of a path: not empty, and no {@code .}, {@code ..}, {@code /}, or control character comes out.
     *
     * @throws ApiException 400
     */
    static String segment(String raw) throws ApiException {
        String decoded = decode(raw);
        if (decoded.isEmpty() || decoded.equals(".") || decoded.equals("..") || decoded.indexOf('/') >= 0) {
            throw ApiException.badRequest("the path has a name that is empty, '.', '..', or has a '/' in it");
        }
        return decoded;
    }

    /**
     * Decodes a name or value of a query, in which a plus sign is a plus sign.
     *
     * @throws ApiException 400 where it is broken, no UTF-8, or has a control character
     */
    static String decode(String raw) throws ApiException {
        ByteBuffer bytes = ByteBuffer.allocate(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c == '%') {
                int high = i + 2 < raw.length() ? hex(raw.charAt(i + 1)) : -1;
                int low = i + 2 < raw.length() ? hex(raw.charAt(i + 2)) : -1;
                if (high < 0 || low < 0) {
                    throw broken();
                }
                bytes.put((byte) (high << 4 | low));
                i += 2;
            } else if (c > ' ' && c < 0x7F) {
                bytes.put((byte) c);
            } else {
                throw broken();
            }
        }
        try {
            String text =
                    StandardCharsets.UTF_8.newDecoder().decode(bytes.flip()).toString();
            if (text.chars().anyMatch(Character::isISOControl)) {
                throw ApiException.badRequest("the path or query has a control character");
            }
            return text;
        } catch (CharacterCodingException _) {
            throw broken();
        }
    }

    private static int hex(char c) {
        return c < 0x80 ? Character.digit(c, 16) : -1;
    }

    private static ApiException broken() {
        return ApiException.badRequest("the path or query is not percent-encoded UTF-8");
    }
}
