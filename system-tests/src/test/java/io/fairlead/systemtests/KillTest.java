package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.qemu.VhostUserDevice;
import io.fairlead.testbed.Guest;
import io.fairlead.testbed.GuestResult;
import io.fairlead.testbed.GuestSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * The serving process is killed under load and started again, several times, at random moments. The guest, whose root
 * file system is served by it too, must see slow requests and nothing else.
 */
@Timeout(1800)
class KillTest {
    private static final int DATA_MIB = 24;
    private static final int RECONNECT_MILLIS = 10;
    private static final long SEED = 4711;

    /**
     * Passes of verified writes until the host says stop, and beside them a steady small write, by which the host sees
     * when the guest's I/O goes on. Each pass has its own order and tells its number.
     */
    private static final String JOB = """
            fio --name=ticker --filename=/dev/vdc --rw=write --bs=4k --direct=1 --ioengine=libaio --iodepth=1 \
                --size=4m --thinktime=2000 --time_based --runtime=3600 --output-format=json --output=/tmp/ticker \
                >/tmp/ticker.err 2>&1 &
            ticker=$!
            (receive >/tmp/line; mv /tmp/line /tmp/stop) &
            emit '{"at":"load"}'
            pass=0
            while [ ! -e /tmp/stop ]; do
                if ! PASS >/tmp/out 2>&1; then
                    emit "{\\"failed\\":\\"$(tail -n 8 /tmp/out | tr -d '"\\\\' | tr '\\n' ';')\\"}"
                    break
                fi
                last=$pass
                pass=$((pass + 1))
            done
            kill -INT $ticker
            wait $ticker
            emit "{\\"ticker\\":$(sed -n '/^{/,$p' /tmp/ticker | tr -d '\\n\\t ')}"
            dd if=/dev/vdb bs=1M 2>/dev/null | sha256sum >/tmp/sum
            emit "{\\"passes\\":$pass,\\"last\\":$last,\\"sum\\":\\"$(cut -c1-64 /tmp/sum)\\"}"
            """ + Lab.REPORT_KERNEL_ERRORS;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void guestSeesNoErrorWhenTheProcessIsKilled(boolean packed, @TempDir Path folder) throws Exception {
        run(packed, 4, folder);
    }

    @Tag("long")
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void manyTimes(boolean packed, @TempDir Path folder) throws Exception {
        run(packed, 60, folder);
    }

    private static void run(boolean packed, int kills, Path folder) throws Exception {
        Lab.report("packed %s, %d kills, seed %d", packed, kills, SEED);
        Path root = folder.resolve("root.img");
        Lab.TESTBED.copyRootImage(root);
        Path data = SoftwareDisks.emptyImage(folder.resolve("data.img"), (long) DATA_MIB << 20);
        Path ticks = SoftwareDisks.emptyImage(folder.resolve("ticks.img"), 4 << 20);
        // Past the page cache, so that requests are in flight when the process is killed.
        String direct = SoftwareDisks.knowsDirectIo(data) ? "on" : "off";
        String[] devices = {
            device("root", root, folder, 1),
            device("data", data, folder, 4) + ",direct=" + direct,
            device("ticks", ticks, folder, 1)
        };
        Lab.report("direct %s", direct);
        FioJob job = new FioJob("libaio", 2, DATA_MIB / 2, "4k-32k", 16, 0);
        String pass = job.guestCommand("/dev/vdb").replace("--randseed=0", "--randseed=$pass");
        GuestSpec spec = GuestSpec.job(JOB.replace("PASS", pass))
                .name("kill")
                .boot(GuestSpec.Boot.KERNEL)
                .processors(2);
        for (String name : List.of("root", "data", "ticks")) {
            spec.device(VhostUserDevice.blk(name, folder.resolve(name + ".sock"))
                    .withReconnectMillis(RECONNECT_MILLIS)
                    .with("packed", packed ? "on" : "off")
                    .with("num-queues", name.equals("data") ? 4 : 1));
        }
        ServeProcess process = ServeProcess.start(devices);
        try {
            long _ = process.awaitReady();
            try (Guest guest = Lab.TESTBED.start(spec)) {
                Lab.await(guest, "load");
                process = killAgainAndAgain(process, devices, ticks, kills);
                guest.send("stop");
                GuestResult result = guest.awaitResult(Duration.ofMinutes(8));
                check(result, job, data);
            }
            assertThat(process.terminate()).isZero();
            assertThat(process.output())
                    .contains("0 failed")
                    .doesNotContainPattern("[1-9]\\d* failed|Exception|WARN|ERROR");
            Lab.report("%s", process.output());
        } finally {
            process.close();
        }
        new RootImage(root).check();
    }

    private static String device(String name, Path image, Path folder, int queues) {
        return "name=%s,type=blk,socket=%s,path=%s,queues=%d"
                .formatted(name, folder.resolve(name + ".sock"), image, queues);
    }

    private static ServeProcess killAgainAndAgain(ServeProcess first, String[] devices, Path ticks, int kills)
            throws IOException, InterruptedException {
        Random random = new Random(SEED);
        ServeProcess process = first;
        List<Long> gapsMillis = new ArrayList<>();
        List<Long> startsMillis = new ArrayList<>();
        List<Long> outagesMillis = new ArrayList<>();
        boolean done = false;
        try {
            for (int i = 0; i < kills; i++) {
                awaitWrite(ticks, Files.getLastModifiedTime(ticks).toMillis());
                Thread.sleep(random.nextInt(1500));
                process.kill();
                long killedNanos = System.nanoTime();
                long lastWriteMillis = Files.getLastModifiedTime(ticks).toMillis();
                process = ServeProcess.start(devices);
                awaitWrite(ticks, lastWriteMillis);
                long onNanos = System.nanoTime();
                long readyNanos = process.awaitReady();
                gapsMillis.add(Math.max(0, onNanos - readyNanos) / 1_000_000);
                startsMillis.add((readyNanos - killedNanos) / 1_000_000);
                outagesMillis.add((onNanos - killedNanos) / 1_000_000);
            }
            done = true;
        } finally {
            if (!done) {
                process.close();
            }
        }
        Collections.sort(gapsMillis);
        Lab.report(
                "from ready to the guest's next write, ms: %s, median %d (bar 100); from the kill to ready: %s; the whole"
                        + " outage: %s",
                gapsMillis, gapsMillis.get(kills / 2), startsMillis, outagesMillis);
        return process;
    }

    private static void awaitWrite(Path file, long lastMillis) throws IOException, InterruptedException {
        long end = System.nanoTime() + Lab.PATIENCE.toNanos();
        while (Files.getLastModifiedTime(file).toMillis() == lastMillis) {
            if (System.nanoTime() > end) {
                throw new IOException("the guest's I/O does not go on");
            }
            Thread.sleep(1);
        }
    }

    private static void check(GuestResult result, FioJob job, Path data) throws IOException, InterruptedException {
        assertThat(result.status()).isZero();
        assertThat(result.lines()).as("fio").noneMatch(line -> line.has("failed"));
        assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                .isEmpty();
        JsonNode ticker = Lab.line(result, "ticker").path("ticker").path("jobs").path(0);
        assertThat(ticker.path("error").asInt(-1)).isZero();
        JsonNode end = Lab.line(result, "passes");
        Lab.report(
                "%d verified passes of %d MiB; %d ticks, longest %d ms",
                end.path("passes").asInt(),
                DATA_MIB,
                ticker.path("write").path("total_ios").asLong(),
                ticker.path("write").path("clat_ns").path("max").asLong() / 1_000_000);
        assertThat(end.path("passes").asInt()).isPositive();
        assertThat(end.path("sum").asString()).isEqualTo(RootImage.sha256(Files.readAllBytes(data)));
        new FioJob(
                        job.engine(),
                        job.jobs(),
                        job.regionMib(),
                        job.blocks(),
                        job.depth(),
                        end.path("last").asLong())
                .checkImage(data);
    }
}
