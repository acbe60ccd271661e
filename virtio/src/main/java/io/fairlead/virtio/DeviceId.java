package io.fairlead.virtio;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Virtio device ids (virtio 1.4, 5) and their names. An id is a plain int, and one that this table does not know is as
 * good as any other: it has a name made of its number.
 */
public final class DeviceId {
    public static final int NET = 1;
    public static final int BLOCK = 2;
    public static final int CONSOLE = 3;
    public static final int RNG = 4;
    public static final int BALLOON = 5;
    public static final int IOMEM = 6;
    public static final int RPMSG = 7;
    public static final int SCSI = 8;
    /** VIRTIO_ID_9P. */
    public static final int P9 = 9;

    public static final int MAC80211_WLAN = 10;
    public static final int RPROC_SERIAL = 11;
    public static final int CAIF = 12;
    public static final int MEMORY_BALLOON = 13;
    public static final int GPU = 16;
    public static final int CLOCK = 17;
    public static final int INPUT = 18;
    public static final int VSOCK = 19;
    public static final int CRYPTO = 20;
    public static final int SIGNAL_DIST = 21;
    public static final int PSTORE = 22;
    public static final int IOMMU = 23;
    public static final int MEM = 24;
    public static final int SOUND = 25;
    public static final int FS = 26;
    public static final int PMEM = 27;
    public static final int RPMB = 28;
    public static final int MAC80211_HWSIM = 29;
    public static final int VIDEO_ENCODER = 30;
    public static final int VIDEO_DECODER = 31;
    public static final int SCMI = 32;
    public static final int NITRO_SEC_MOD = 33;
    public static final int I2C_ADAPTER = 34;
    public static final int WATCHDOG = 35;
    public static final int CAN = 36;
    public static final int DMABUF = 37;
    public static final int PARAM_SERV = 38;
    public static final int AUDIO_POLICY = 39;
    public static final int BT = 40;
    public static final int GPIO = 41;
    public static final int RDMA = 42;
    public static final int CAMERA = 43;
    public static final int ISM = 44;
    public static final int SPI = 45;
    public static final int TEE = 46;
    public static final int CPU_BALLOON = 47;
    public static final int MEDIA = 48;

    private static final String[] NAMES = new String[MEDIA + 1];
    private static final String[] QEMU_NAMES = new String[MEDIA + 1];
    private static final Map<String, Integer> BY_NAME = new HashMap<>();

    static {
        add(NET, "net", "virtio-net");
        add(BLOCK, "block", "virtio-blk");
        add(CONSOLE, "console", "virtio-serial");
        add(RNG, "rng", "virtio-rng");
        add(BALLOON, "balloon", "virtio-balloon");
        add(IOMEM, "iomem", "virtio-iomem");
        add(RPMSG, "rpmsg", "virtio-rpmsg");
        add(SCSI, "scsi", "virtio-scsi");
        add(P9, "9p", "virtio-9p");
        add(MAC80211_WLAN, "mac80211-wlan", "virtio-mac-wlan");
        add(RPROC_SERIAL, "rproc-serial", "virtio-rproc-serial");
        add(CAIF, "caif", "virtio-caif");
        add(MEMORY_BALLOON, "memory-balloon", "virtio-mem-balloon");
        add(GPU, "gpu", "virtio-gpu");
        add(CLOCK, "clock", "virtio-clk");
        add(INPUT, "input", "virtio-input");
        add(VSOCK, "vsock", "vhost-vsock");
        add(CRYPTO, "crypto", "virtio-crypto");
        add(SIGNAL_DIST, "signal-dist", "virtio-signal");
        add(PSTORE, "pstore", "virtio-pstore");
        add(IOMMU, "iommu", "virtio-iommu");
        add(MEM, "mem", "virtio-mem");
        add(SOUND, "sound", "virtio-sound");
        add(FS, "fs", "virtio-user-fs");
        add(PMEM, "pmem", "virtio-pmem");
        add(RPMB, "rpmb", "virtio-rpmb");
        add(MAC80211_HWSIM, "mac80211-hwsim", "virtio-mac-hwsim");
        add(VIDEO_ENCODER, "video-encoder", "virtio-vid-encoder");
        add(VIDEO_DECODER, "video-decoder", "virtio-vid-decoder");
        add(SCMI, "scmi", "virtio-scmi");
        add(NITRO_SEC_MOD, "nitro-sec-mod", "virtio-nitro-sec-mod");
        add(I2C_ADAPTER, "i2c-adapter", "vhost-user-i2c");
        add(WATCHDOG, "watchdog", "virtio-watchdog");
        add(CAN, "can", "virtio-can");
        add(DMABUF, "dmabuf", "virtio-dmabuf");
        add(PARAM_SERV, "param-serv", "virtio-param-serv");
        add(AUDIO_POLICY, "audio-policy", "virtio-audio-pol");
        add(BT, "bt", "virtio-bluetooth");
        add(GPIO, "gpio", "virtio-gpio");
        add(RDMA, "rdma", "virtio-rdma");
        add(CAMERA, "camera", "virtio-camera");
        add(ISM, "ism", "virtio-ism");
        add(SPI, "spi", "virtio-spi");
        add(TEE, "tee", "virtio-tee");
        add(CPU_BALLOON, "cpu-balloon", "virtio-cpu-balloon");
        add(MEDIA, "media", "virtio-media");
        // What people and other tools also say.
        alias("blk", BLOCK);
        alias("serial", CONSOLE);
        alias("virtio-fs", FS);
        alias("virtiofs", FS);
        alias("vhost-user-fs", FS);
        alias("i2c", I2C_ADAPTER);
        alias("bluetooth", BT);
        alias("snd", SOUND);
    }

    private DeviceId() {}

    private static void add(int id, String name, String qemuName) {
        NAMES[id] = name;
        QEMU_NAMES[id] = qemuName;
        alias(name, id);
        alias("virtio-" + name, id);
        alias(qemuName, id);
    }

    private static void alias(String name, int id) {
        BY_NAME.put(name, id);
    }

    /** Whether the table has a name for an id. */
    public static boolean isKnown(int id) {
        return id >= 0 && id < NAMES.length && NAMES[id] != null;
    }

    /** The kernel's name (VIRTIO_ID_ in small letters), such as {@code net} or {@code block}; else {@code virtio77}. */
    public static String name(int id) {
        return isKnown(id) ? NAMES[id] : "virtio" + id;
    }

    /** QEMU's name, such as {@code virtio-blk} or {@code vhost-vsock}; else {@code virtio77}. */
    public static String qemuName(int id) {
        return isKnown(id) ? QEMU_NAMES[id] : "virtio" + id;
    }

    /**
     * The id for a name.
     *
     * @param name the kernel's or QEMU's name, a common short form ({@code blk}), what {@link #name} makes of an unknown
     *     id, or a decimal number from 1 to 65535; capitals do not matter
     * @return empty where it is none of these
     */
    public static OptionalInt byName(String name) {
        String key = name.toLowerCase(Locale.ROOT);
        Integer id = BY_NAME.get(key);
        if (id != null) {
            return OptionalInt.of(id);
        }
        String digits = key.startsWith("virtio") ? key.substring("virtio".length()) : key;
        if (!digits.matches("[1-9][0-9]{0,4}") || Integer.parseInt(digits) > 0xffff) {
            return OptionalInt.empty();
        }
        return OptionalInt.of(Integer.parseInt(digits));
    }
}
