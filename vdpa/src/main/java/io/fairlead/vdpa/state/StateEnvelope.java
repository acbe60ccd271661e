package io.fairlead.vdpa.state;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * The outer layers of a state: header, sections, trailer; little-endian, without padding:
 *
 * <pre>
 * header   u8 magic[4] "VDPS";  u16 major; u16 minor; u32 header bytes; u64 total bytes;
 *          u32 flags;                        // bit 0 PROVISIONAL, bit 1 FINAL: one of them
 *          u32 epoch; u32 device id; u8 uuid[16];   // the uuid in the order in which it is written
 *          u32 sections; u32 crc32c;         // of the whole header, with 0 in this field
 *          // later minor versions may add to it
 * section  u16 kind; u16 flags;              // bit 0 optional
 *          u32 version; u64 payload bytes; u32 crc32c; u32 0;   // crc of this and the payload, with 0 in this field
 *          payload
 * trailer  u8 sha256[32];                    // of everything before
 * </pre>
 */
final class StateEnvelope {
    static final int MAGIC = 0x53504456;
    static final int HEADER_BYTES = 56;
    static final int MAX_HEADER_BYTES = 4096;
    static final int HEADER_CRC = 52;
    static final int TOTAL_BYTES = 12;
    static final int SECTION_BYTES = 24;
    static final int SECTION_LENGTH = 8;
    static final int SECTION_CRC = 16;
    static final int TRAILER_BYTES = 32;

    private static final int PROVISIONAL = 1;
    private static final int FINAL = 2;
    private static final int OPTIONAL = 1;

    /** What the header says, and how many sections follow. */
    private record Opening(StateHeader header, int sectionCount, int headerBytes) {}

    private StateEnvelope() {}

    // ---- writing ----

    static byte[] encode(StateHeader header, List<Section> sections) throws StateFormatException {
        StateWriter out = new StateWriter();
        out.u32(MAGIC);
        out.u16(DeviceState.MAJOR);
        out.u16(header.minor());
        out.u32(HEADER_BYTES + header.extension().size());
        out.u64(0);
        out.u32(header.isFinal() ? FINAL : PROVISIONAL);
        out.u32(header.epoch());
        out.u32(header.deviceId());
        out.u64(Long.reverseBytes(header.uuid().getMostSignificantBits()));
        out.u64(Long.reverseBytes(header.uuid().getLeastSignificantBits()));
        out.u32(sections.size());
        out.u32(0);
        out.octets(header.extension());
        int headerBytes = out.position();
        for (Section section : sections) {
            encode(section, out);
        }
        out.patch64(TOTAL_BYTES, (long) out.position() + TRAILER_BYTES);
        out.patch32(HEADER_CRC, crc(out.view(0).limit(headerBytes), HEADER_CRC));
        out.raw(sha256(out.view(0)));
        return out.toArray();
    }

    private static void encode(Section section, StateWriter out) throws StateFormatException {
        int start = out.position();
        out.u16(section.kind());
        out.u16(section.optional() ? OPTIONAL : 0);
        out.u32(section.version());
        out.u64(0);
        out.u32(0);
        out.u32(0);
        SectionEncoder.encode(section, out);
        out.patch64(start + SECTION_LENGTH, (long) out.position() - start - SECTION_BYTES);
        out.patch32(start + SECTION_CRC, crc(out.view(start), SECTION_CRC));
    }

    // ---- reading ----

    /**
     * @param bytes a whole state, which nobody changes meanwhile
     * @throws StateFormatException where anything of it is not as it has to be
     */
    static DeviceState decode(byte[] bytes) throws StateFormatException {
        ByteBuffer whole = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        Opening opening = header(whole);
        int end = bytes.length - TRAILER_BYTES;
        if (!MessageDigest.isEqual(
                sha256(whole.duplicate().limit(end)), Arrays.copyOfRange(bytes, end, bytes.length))) {
            throw new StateFormatException("trailer", end, "the SHA-256 does not match: the state was changed");
        }
        List<Section> sections = new ArrayList<>();
        int position = opening.headerBytes();
        for (int i = 0; i < opening.sectionCount(); i++) {
            position = section(whole.slice(position, end - position), position, sections);
        }
        if (position != end) {
            throw new StateFormatException(
                    "trailer", position, "%d bytes follow the last section".formatted(end - position));
        }
        return DeviceState.checked(opening.header(), sections);
    }

    private static Opening header(ByteBuffer whole) throws StateFormatException {
        StateReader in = new StateReader("header", whole, 0);
        if (whole.remaining() < Integer.BYTES || in.u32() != MAGIC) {
            throw in.wrong(0, "this is no device state: it does not begin with VDPS");
        }
        int major = in.u16();
        int minor = in.u16();
        if (major != DeviceState.MAJOR) {
            throw in.wrong(
                    4,
                    "version %d.%d cannot be read; this program reads version %d"
                            .formatted(major, minor, DeviceState.MAJOR));
        }
        int headerBytes = in.u32();
        if (headerBytes < HEADER_BYTES
                || headerBytes > MAX_HEADER_BYTES
                || (minor == DeviceState.MINOR && headerBytes != HEADER_BYTES)) {
            throw in.wrong(
                    8,
                    "a header of %d bytes is none of version %d.%d"
                            .formatted(Integer.toUnsignedLong(headerBytes), major, minor));
        }
        long totalBytes = in.u64();
        if (totalBytes != whole.capacity() || totalBytes < headerBytes + TRAILER_BYTES) {
            throw in.wrong(
                    TOTAL_BYTES,
                    "%d bytes are there, of %s that the state has"
                            .formatted(whole.capacity(), Long.toUnsignedString(totalBytes)));
        }
        if (crc(whole.slice(0, headerBytes), HEADER_CRC) != whole.getInt(HEADER_CRC)) {
            throw in.wrong(HEADER_CRC, "the CRC32C does not match: the header was changed");
        }
        int flags = in.u32();
        if (flags != PROVISIONAL && flags != FINAL) {
            throw in.wrong(20, "flags 0x%x are neither PROVISIONAL nor FINAL".formatted(flags));
        }
        int epoch = in.u32();
        int deviceId = in.u32();
        UUID uuid = new UUID(Long.reverseBytes(in.u64()), Long.reverseBytes(in.u64()));
        int offset = in.offset();
        int sectionCount = in.count(DeviceState.MAX_SECTIONS, 0, "sections");
        if ((long) sectionCount * SECTION_BYTES > totalBytes - headerBytes - TRAILER_BYTES) {
            throw in.wrong(offset, "%d sections do not fit %d bytes".formatted(sectionCount, totalBytes));
        }
        in.u32();
        StateHeader header =
                new StateHeader(minor, flags == FINAL, epoch, deviceId, uuid, in.octets(headerBytes - HEADER_BYTES));
        return new Opening(header, sectionCount, headerBytes);
    }

    /** Reads one section and returns where the next begins. */
    private static int section(ByteBuffer rest, int base, List<Section> sections) throws StateFormatException {
        StateReader in = new StateReader("section %d".formatted(sections.size() + 1), rest, base);
        int kind = in.u16();
        int flags = in.u16();
        int version = in.u32();
        long length = in.u64();
        int crc = in.u32();
        StateReader named = new StateReader(Section.name(kind) + " section", rest, base);
        if (length < 0 || length > in.remaining() - Integer.BYTES) {
            throw named.wrong(
                    base + SECTION_LENGTH,
                    "%s bytes, of which %d are there"
                            .formatted(Long.toUnsignedString(length), in.remaining() - Integer.BYTES));
        }
        int sectionBytes = SECTION_BYTES + (int) length;
        if (crc(rest.slice(0, sectionBytes), SECTION_CRC) != crc) {
            throw named.wrong(base + SECTION_CRC, "the CRC32C does not match: the section was changed");
        }
        in.zero(Integer.BYTES);
        if ((flags & ~OPTIONAL) != 0) {
            throw named.wrong(base + 2, "flags 0x%x are unknown".formatted(flags));
        }
        boolean optional = (flags & OPTIONAL) != 0;
        StateReader payload = new StateReader(
                Section.name(kind) + " section", rest.slice(SECTION_BYTES, (int) length), base + SECTION_BYTES);
        if (SectionDecoder.knows(kind, version)) {
            Section section = SectionDecoder.decode(kind, payload);
            if (section.optional() != optional) {
                throw named.wrong(base + 2, "has to be %s".formatted(section.optional() ? "optional" : "mandatory"));
            }
            sections.add(section);
        } else if (optional) {
            sections.add(new Section.Unknown(kind, version, payload.octets((int) length)));
        } else {
            throw named.wrong(
                    base,
                    "version %d is mandatory and unknown to this program: it was written by a newer one"
                            .formatted(Integer.toUnsignedLong(version)));
        }
        return base + sectionBytes;
    }

    // ---- checksums ----

    /** Of all bytes, as if the four at an offset were 0. */
    static int crc(ByteBuffer bytes, int zeroOffset) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.slice(0, zeroOffset));
        crc.update(new byte[Integer.BYTES]);
        int rest = zeroOffset + Integer.BYTES;
        crc.update(bytes.slice(rest, bytes.limit() - rest));
        return (int) crc.getValue();
    }

    static byte[] sha256(ByteBuffer bytes) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes.duplicate());
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
