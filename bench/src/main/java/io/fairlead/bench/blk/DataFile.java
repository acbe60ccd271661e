package io.fairlead.bench.blk;

import io.fairlead.linux.Fd;
import io.fairlead.linux.FileIo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/** The file that all servers serve, filled with bytes that nothing can compress; deleted by {@link #close}. */
final class DataFile implements AutoCloseable {
    private static final int CHUNK_BYTES = 1 << 20;
    private static final long SEED = 0x0FA1_41EA_DL;

    private final Path path;
    private final long byteCount;
    private final FileChannel channel;
    private final PageCache pageCache;

    private DataFile(Path path, long byteCount, FileChannel channel, PageCache pageCache) {
        this.path = path;
        this.byteCount = byteCount;
        this.channel = channel;
        this.pageCache = pageCache;
    }

    /**
     * Makes the file.
     *
     * @param byteCount a multiple of 1 MiB
     * @throws IOException where there is no room for it
     */
    static DataFile create(Path folder, long byteCount) throws IOException {
        if (byteCount < CHUNK_BYTES || byteCount % CHUNK_BYTES != 0) {
            throw new IllegalArgumentException("the file's size is to be a multiple of 1 MiB: " + byteCount);
        }
        FileStore store = Files.getFileStore(folder);
        if (store.getUsableSpace() < byteCount) {
            throw new IOException("%s has room for %d MiB, the benchmark's file needs %d MiB; choose another folder"
                    .formatted(folder, store.getUsableSpace() / CHUNK_BYTES, byteCount / CHUNK_BYTES));
        }
        PageCache pageCache = new PageCache();
        Path path = folder.resolve("disk.raw");
        FileChannel channel = FileChannel.open(
                path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        DataFile file = new DataFile(path, byteCount, channel, pageCache);
        file.fill();
        return file;
    }

    private void fill() throws IOException {
        SplittableRandom random = new SplittableRandom(SEED);
        ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
        for (long offset = 0; offset < byteCount; offset += CHUNK_BYTES) {
            chunk.clear();
            while (chunk.hasRemaining()) {
                chunk.putLong(random.nextLong());
            }
            chunk.flip();
            while (chunk.hasRemaining()) {
                channel.write(chunk, offset + chunk.position());
            }
        }
        sync();
    }

    Path path() {
        return path;
    }

    /** Reads the whole file, so that the page cache has it. */
    void warm() throws IOException {
        ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_BYTES);
        for (long offset = 0; offset < byteCount; offset += CHUNK_BYTES) {
            read(offset, chunk.clear());
        }
    }

    /** Reads bytes from an offset until the buffer is full. */
    void read(long offset, ByteBuffer buffer) throws IOException {
        int start = buffer.position();
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, offset + buffer.position() - start) < 0) {
                throw new IOException(path + " has become shorter");
            }
        }
    }

    /** Makes written data durable, so that no writing back disturbs what is measured next. */
    void sync() throws IOException {
        channel.force(false);
    }

    /**
     * Takes the file out of the page cache; pages that a process has mapped stay.
     *
     * @return the share of the file that stayed, 0 to 1; 0 where the kernel does not tell (before 6.5)
     */
    double drop() throws IOException {
        sync();
        try (Fd fd = FileIo.open(path, FileIo.O_RDONLY, 0)) {
            pageCache.drop(fd);
            return (double) pageCache.residentBytes(fd, byteCount) / byteCount;
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
        Files.deleteIfExists(path);
    }
}
