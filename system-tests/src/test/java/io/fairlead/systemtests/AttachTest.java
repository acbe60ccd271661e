package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fairlead.testbed.GuestResult;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A machine of a node gets a disk while it runs, by the command; the node is killed and starts again; the disk leaves. */
@Timeout(600)
class AttachTest {
    private static final int MIB = 4;

    /** Reads all of the second disk whenever it is told to. */
    private static final String JOB = """
            emit '{"at":"busy"}'
            while word=$(receive) && [ "$word" != end ]; do
                until [ -b /dev/vdb ]; do sleep 0.1; done
                emit "{\\"at\\":\\"$word\\",\\"sum\\":\\"$(dd if=/dev/vdb bs=1M iflag=direct 2>/dev/null | sha256sum | cut -c1-64)\\"}"
            done
            emit "{\\"disks\\":\\"$(ls /sys/block | grep ^vd | tr '\\n' ' ')\\"}"
            """ + Lab.REPORT_KERNEL_ERRORS;

    @TempDir
    Path folder;

    @Test
    void aDiskComesStaysWithARestartAndLeaves() throws Exception {
        try (TwoNodes nodes = new TwoNodes(folder, "", JOB, 0)) {
            byte[] content = new byte[MIB << 20];
            new java.util.Random(5).nextBytes(content);
            Path image = Files.write(folder.resolve("more.img"), content);
            Path socket = folder.resolve("more.sock");
            String device = "name=more,type=blk,socket=%s,path=%s".formatted(socket, image);

            TwoNodes.Ended wrong = vm(nodes, "attach", "vm1", "--device", device);
            assertThat(wrong.exitCode()).isEqualTo(2);
            assertThat(wrong.text()).contains("there is no machine vm1, only [vm0]");

            TwoNodes.Ended attached = vm(nodes, "attach", "vm0", "--device", device);
            assertThat(attached.exitCode()).as(attached.text()).isZero();
            assertThat(attached.text()).contains("vm0 has more");
            assertThat(sum(nodes, "first")).isEqualTo(RootImage.sha256(content));

            TwoNodes.Ended again = vm(nodes, "attach", "vm0", "--device", device);
            assertThat(again.exitCode()).as(again.text()).isNotZero();
            assertThat(again.text()).contains("more exists already");

            nodes.a.node.kill();
            nodes.a.start();
            assertThat(sum(nodes, "second")).isEqualTo(RootImage.sha256(content));

            // As a node leaves it that was killed between writing a device down and plugging it in.
            nodes.a.node.kill();
            Path ghost = folder.resolve("ghost.sock");
            Path kept = folder.resolve("a.state/attached/ghost.json");
            Files.writeString(kept, """
                    {"machine":"vm0","name":"ghost","type":"rng","socket":"%s","attributes":{}}""".formatted(ghost));
            nodes.a.start();
            assertThat(ghost).exists();
            TwoNodes.Ended never = vm(nodes, "detach", "vm0", "ghost");
            assertThat(never.exitCode()).as(never.text()).isZero();
            assertThat(ghost).doesNotExist();
            assertThat(kept).doesNotExist();

            TwoNodes.Ended detached = vm(nodes, "detach", "vm0", "more");
            assertThat(detached.exitCode()).as(detached.text()).isZero();
            assertThat(socket).doesNotExist();
            assertThat(folder.resolve("a.state/attached/more.json")).doesNotExist();
            TwoNodes.Ended gone = vm(nodes, "detach", "vm0", "more");
            assertThat(gone.exitCode()).isEqualTo(2);
            assertThat(gone.text()).contains("machine vm0 has no device more, only [disk0]");

            nodes.guest.send("end");
            GuestResult result = nodes.guest.awaitResult(Lab.PATIENCE);
            assertThat(Lab.line(result, "disks").path("disks").asString()).isEqualTo("vda ");
            assertThat(Lab.line(result, "kernelErrors").path("kernelErrors").asString())
                    .isEmpty();
        }
    }

    private static String sum(TwoNodes nodes, String word) throws Exception {
        nodes.guest.send(word);
        return nodes.guest.awaitLine(Lab.at(word), Lab.PATIENCE).path("sum").asString("");
    }

    private static TwoNodes.Ended vm(TwoNodes nodes, String verb, String machine, String... more) throws Exception {
        String[] words = new String[more.length + 5];
        words[0] = "vm";
        words[1] = verb;
        words[2] = machine;
        words[3] = "--control";
        words[4] = nodes.a.control().toString();
        System.arraycopy(more, 0, words, 5, more.length);
        return TwoNodes.command(words).end();
    }
}
