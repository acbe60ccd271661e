package io.fairlead.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Holds identifiers, feature bits and layouts against the kernel's own headers, by a C program that prints what the
 * compiler makes of them. What an older header does not know is left out, but the bulk must be there.
 */
class KernelHeaderTest {
    private static final List<String> HEADERS = List.of(
            "virtio_ids",
            "virtio_config",
            "virtio_ring",
            "virtio_blk",
            "virtio_net",
            "virtio_scsi",
            "virtio_fs",
            "virtio_console",
            "virtio_vsock",
            "virtio_balloon");

    /** Fields of the specification that the kernel's structures do not have. */
    private static final List<String> NOT_IN_KERNEL = List.of("supported_tunnel_types", "notify_buf_size");

    private final Map<String, Long> expected = new LinkedHashMap<>();
    private final StringBuilder program = new StringBuilder();

    @TempDir
    Path directory;

    @Test
    void agreesWithTheKernelsHeaders() throws Exception {
        program.append("#include <stddef.h>\n#include <stdio.h>\n");
        for (String header : HEADERS) {
            if (!Files.exists(Path.of("/usr/include/linux/" + header + ".h"))) {
                abort("skipped: /usr/include/linux/" + header + ".h is missing (Debian: linux-libc-dev)");
            }
            program.append("#include <linux/%s.h>\n".formatted(header));
        }
        program.append("int main(void) {\n");
        ids();
        statusAndCommonFeatures();
        deviceTypes();
        blockRequests();
        socketPackets();
        rings();
        program.append("return 0;\n}\n");

        Map<String, Long> actual = run();
        assertThat(expected).containsAllEntriesOf(actual);
        assertThat(actual).hasSizeGreaterThan(250);
    }

    private void ids() {
        for (int id = 1; id <= DeviceId.MEDIA; id++) {
            if (DeviceId.isKnown(id)) {
                macro("VIRTIO_ID_" + upper(DeviceId.name(id)), id);
            }
        }
    }

    private void statusAndCommonFeatures() {
        for (int bit = 1; bit <= 128; bit <<= 1) {
            String name = DeviceStatus.describe(bit).replace("DEVICE_", "");
            macro("VIRTIO_CONFIG_S_" + name, bit);
        }
        for (int bit = 24; bit < 50; bit++) {
            String name = FeatureTable.COMMON.names(1L << bit).getFirst();
            macro("VIRTIO_F_" + name, bit);
            macro("VIRTIO_RING_F_" + name, bit);
        }
    }

    private void deviceTypes() {
        type(DeviceId.NET, "NET", "virtio_net_config", NetConfig.BYTES);
        type(DeviceId.BLOCK, "BLK", "virtio_blk_config", BlkConfig.BYTES);
        type(DeviceId.CONSOLE, "CONSOLE", "virtio_console_config", ConsoleConfig.BYTES);
        type(DeviceId.BALLOON, "BALLOON", "virtio_balloon_config", BalloonConfig.BYTES);
        type(DeviceId.SCSI, "SCSI", "virtio_scsi_config", ScsiConfig.BYTES);
        type(DeviceId.VSOCK, "VSOCK", "virtio_vsock_config", VsockConfig.BYTES);
        type(DeviceId.FS, "FS", "virtio_fs_config", FsConfig.BYTES);
        macro("VIRTIO_BALLOON_F_REPORTING", 5);
        macro("VIRTIO_NET_S_LINK_UP", NetConfig.STATUS_LINK_UP);
        macro("VIRTIO_NET_S_ANNOUNCE", NetConfig.STATUS_ANNOUNCE);
        macro("VIRTIO_SCSI_CDB_DEFAULT_SIZE", ScsiConfig.DEFAULT_CDB_BYTES);
        macro("VIRTIO_SCSI_SENSE_DEFAULT_SIZE", ScsiConfig.DEFAULT_SENSE_BYTES);
    }

    private void type(int deviceId, String prefix, String struct, int bytes) {
        for (int bit = 0; bit < 64; bit++) {
            if (bit < 24 || bit >= 50) {
                macro(
                        "VIRTIO_" + prefix + "_F_"
                                + FeatureTable.of(deviceId).names(1L << bit).getFirst(),
                        bit);
            }
        }
        boolean whole = true;
        for (ConfigField field : ConfigField.of(deviceId)) {
            if (NOT_IN_KERNEL.contains(field.name())) {
                whole = false;
                continue;
            }
            // The header has a structure's newer fields together with their feature bits.
            String guard = field.features() == 0
                    ? null
                    : "VIRTIO_" + prefix + "_F_"
                            + FeatureTable.of(deviceId)
                                    .names(Long.lowestOneBit(field.features()))
                                    .getFirst();
            value("offsetof(struct %s, %s)".formatted(struct, field.name()), field.offset(), guard);
            value("sizeof(((struct %s *)0)->%s)".formatted(struct, field.name()), field.byteCount(), guard);
        }
        if (whole) {
            value("sizeof(struct " + struct + ")", bytes, deviceId == DeviceId.BLOCK ? "VIRTIO_BLK_F_ZONED" : null);
        }
    }

    private void blockRequests() {
        for (int type = 0; type < 30; type++) {
            String name = BlkRequest.typeName(type);
            if (!name.startsWith("type")) {
                macro("VIRTIO_BLK_T_" + name, type);
            }
        }
        macro("VIRTIO_BLK_ID_BYTES", BlkRequest.ID_BYTES);
        macro("VIRTIO_BLK_S_OK", BlkRequest.STATUS_OK);
        macro("VIRTIO_BLK_S_IOERR", BlkRequest.STATUS_IOERR);
        macro("VIRTIO_BLK_S_UNSUPP", BlkRequest.STATUS_UNSUPP);
        macro("VIRTIO_BLK_S_ZONE_INVALID_CMD", BlkRequest.STATUS_ZONE_INVALID_CMD);
        macro("VIRTIO_BLK_S_ZONE_UNALIGNED_WP", BlkRequest.STATUS_ZONE_UNALIGNED_WP);
        macro("VIRTIO_BLK_S_ZONE_OPEN_RESOURCE", BlkRequest.STATUS_ZONE_OPEN_RESOURCE);
        macro("VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE", BlkRequest.STATUS_ZONE_ACTIVE_RESOURCE);
        macro("VIRTIO_BLK_Z_NONE", BlkConfig.ZONE_MODEL_NONE);
        macro("VIRTIO_BLK_Z_HM", BlkConfig.ZONE_MODEL_HOST_MANAGED);
        macro("VIRTIO_BLK_Z_HA", BlkConfig.ZONE_MODEL_HOST_AWARE);
        macro("VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP", BlkRequest.SEGMENT_FLAG_UNMAP);
        value("sizeof(struct virtio_blk_outhdr)", BlkRequest.HEADER_BYTES, null);
        value("offsetof(struct virtio_blk_outhdr, type)", BlkRequest.TYPE_OFFSET, null);
        value("offsetof(struct virtio_blk_outhdr, sector)", BlkRequest.SECTOR_OFFSET, null);
        String segment = "struct virtio_blk_discard_write_zeroes";
        value("sizeof(" + segment + ")", BlkRequest.SEGMENT_BYTES, null);
        value("offsetof(" + segment + ", sector)", BlkRequest.SEGMENT_SECTOR_OFFSET, null);
        value("offsetof(" + segment + ", num_sectors)", BlkRequest.SEGMENT_SECTOR_COUNT_OFFSET, null);
        value("offsetof(" + segment + ", flags)", BlkRequest.SEGMENT_FLAGS_OFFSET, null);
    }

    private void socketPackets() {
        String header = "struct virtio_vsock_hdr";
        value("sizeof(" + header + ")", VsockPacket.HEADER_BYTES, null);
        value("offsetof(" + header + ", src_cid)", VsockPacket.SRC_CID_OFFSET, null);
        value("offsetof(" + header + ", dst_cid)", VsockPacket.DST_CID_OFFSET, null);
        value("offsetof(" + header + ", src_port)", VsockPacket.SRC_PORT_OFFSET, null);
        value("offsetof(" + header + ", dst_port)", VsockPacket.DST_PORT_OFFSET, null);
        value("offsetof(" + header + ", len)", VsockPacket.LEN_OFFSET, null);
        value("offsetof(" + header + ", type)", VsockPacket.TYPE_OFFSET, null);
        value("offsetof(" + header + ", op)", VsockPacket.OP_OFFSET, null);
        value("offsetof(" + header + ", flags)", VsockPacket.FLAGS_OFFSET, null);
        value("offsetof(" + header + ", buf_alloc)", VsockPacket.BUF_ALLOC_OFFSET, null);
        value("offsetof(" + header + ", fwd_cnt)", VsockPacket.FWD_CNT_OFFSET, null);
        value("VIRTIO_VSOCK_TYPE_STREAM", VsockPacket.TYPE_STREAM, null);
        value("VIRTIO_VSOCK_OP_INVALID", VsockPacket.OP_INVALID, null);
        value("VIRTIO_VSOCK_OP_REQUEST", VsockPacket.OP_REQUEST, null);
        value("VIRTIO_VSOCK_OP_RESPONSE", VsockPacket.OP_RESPONSE, null);
        value("VIRTIO_VSOCK_OP_RST", VsockPacket.OP_RST, null);
        value("VIRTIO_VSOCK_OP_SHUTDOWN", VsockPacket.OP_SHUTDOWN, null);
        value("VIRTIO_VSOCK_OP_RW", VsockPacket.OP_RW, null);
        value("VIRTIO_VSOCK_OP_CREDIT_UPDATE", VsockPacket.OP_CREDIT_UPDATE, null);
        value("VIRTIO_VSOCK_OP_CREDIT_REQUEST", VsockPacket.OP_CREDIT_REQUEST, null);
        value("VIRTIO_VSOCK_SHUTDOWN_RCV", VsockPacket.SHUTDOWN_RECEIVE, null);
        value("VIRTIO_VSOCK_SHUTDOWN_SEND", VsockPacket.SHUTDOWN_SEND, null);
        value("sizeof(struct virtio_vsock_event)", VsockPacket.EVENT_BYTES, null);
        value("VIRTIO_VSOCK_EVENT_TRANSPORT_RESET", VsockPacket.EVENT_TRANSPORT_RESET, null);
    }

    private void rings() {
        value("sizeof(struct vring_desc)", RingLayout.DESCRIPTOR_BYTES, null);
        value("offsetof(struct vring_desc, len)", RingLayout.DESCRIPTOR_LENGTH, null);
        value("offsetof(struct vring_desc, flags)", RingLayout.SPLIT_DESCRIPTOR_FLAGS, null);
        value("offsetof(struct vring_desc, next)", RingLayout.SPLIT_DESCRIPTOR_NEXT, null);
        value("sizeof(struct vring_packed_desc)", RingLayout.DESCRIPTOR_BYTES, null);
        value("offsetof(struct vring_packed_desc, len)", RingLayout.DESCRIPTOR_LENGTH, null);
        value("offsetof(struct vring_packed_desc, id)", RingLayout.PACKED_DESCRIPTOR_ID, null);
        value("offsetof(struct vring_packed_desc, flags)", RingLayout.PACKED_DESCRIPTOR_FLAGS, null);
        value("offsetof(struct vring_avail, idx)", RingLayout.AVAILABLE_INDEX, null);
        value("offsetof(struct vring_avail, ring)", RingLayout.availableEntry(0), null);
        value("offsetof(struct vring_used, idx)", RingLayout.USED_INDEX, null);
        value("offsetof(struct vring_used, ring)", RingLayout.usedElement(0), null);
        value("sizeof(struct vring_used_elem)", RingLayout.USED_ELEMENT_BYTES, null);
        value("offsetof(struct vring_packed_desc_event, flags)", RingLayout.EVENT_FLAGS, null);
        macro("VRING_DESC_F_NEXT", RingLayout.NEXT);
        macro("VRING_DESC_F_WRITE", RingLayout.WRITE);
        macro("VRING_DESC_F_INDIRECT", RingLayout.INDIRECT);
        macro("VRING_PACKED_EVENT_FLAG_DISABLE", RingLayout.EVENT_FLAGS_DISABLE);
        macro("VRING_PACKED_EVENT_FLAG_DESC", RingLayout.EVENT_FLAGS_DESCRIPTOR);
    }

    private void macro(String name, long value) {
        if (name.matches("[A-Z0-9_]+")) {
            value(name, value, name);
        }
    }

    private void value(String expression, long value, String guard) {
        expected.put(expression, value);
        if (guard != null) {
            program.append("#ifdef ").append(guard).append('\n');
        }
        program.append("printf(\"%%lld %%s\\n\", (long long)(%s), \"%s\");\n".formatted(expression, expression));
        if (guard != null) {
            program.append("#endif\n");
        }
    }

    private Map<String, Long> run() throws IOException, InterruptedException {
        Path source = directory.resolve("probe.c");
        Path binary = directory.resolve("probe");
        Files.writeString(source, program);
        try {
            execute(List.of("gcc", "-o", binary.toString(), source.toString()));
        } catch (IOException e) {
            if (String.valueOf(e.getMessage()).contains("Cannot run program")) {
                abort("skipped: no gcc here");
            }
            throw e;
        }
        Map<String, Long> values = new LinkedHashMap<>();
        try (Stream<String> lines = execute(List.of(binary.toString())).lines()) {
            lines.forEach(line -> {
                String[] parts = line.split(" ", 2);
                values.put(parts[1], Long.valueOf(parts[0]));
            });
        }
        return values;
    }

    private static String execute(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(new ArrayList<>(command))
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(output).isZero();
        return output;
    }

    private static String upper(String name) {
        return name.toUpperCase(Locale.ROOT).replace('-', '_');
    }
}
