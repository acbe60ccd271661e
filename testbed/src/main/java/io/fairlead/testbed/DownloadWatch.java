package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Looks at how far apt's download is, by the files that it writes. */
final class DownloadWatch {
    private final String what;
    private final Path archives;
    private final List<String> fileNames;
    private final long totalBytes;
    private final Progress progress;
    private final CountDownLatch stopped = new CountDownLatch(1);
    private final long startNanos = System.nanoTime();
    private final long bytesAtStart;

    DownloadWatch(String what, Path archives, List<String> fileNames, long totalBytes, Progress progress) {
        this.what = what;
        this.archives = archives;
        this.fileNames = fileNames;
        this.totalBytes = totalBytes;
        this.progress = progress;
        this.bytesAtStart = look().bytes();
    }

    void run(int intervalMillis) {
        try {
            while (!stopped.await(intervalMillis, TimeUnit.MILLISECONDS)) {
                report();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    void stop() {
        stopped.countDown();
    }

    void report() {
        Look look = look();
        double seconds = Math.max(1e-3, (System.nanoTime() - startNanos) / 1e9);
        long perSecond = (long) ((look.bytes() - bytesAtStart) / seconds);
        progress.download(what, look.complete(), fileNames.size(), look.bytes(), totalBytes, Math.max(0, perSecond));
    }

    private Look look() {
        int complete = 0;
        long bytes = 0;
        for (String name : fileNames) {
            long size = size(archives.resolve(name));
            if (size >= 0) {
                complete++;
                bytes += size;
            } else {
                bytes += Math.max(0, size(archives.resolve("partial").resolve(name)));
            }
        }
        return new Look(complete, bytes);
    }

    /** A file's size, -1 where it is not there: apt moves files while we look. */
    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            return -1;
        }
    }

    private record Look(int complete, long bytes) {}
}
