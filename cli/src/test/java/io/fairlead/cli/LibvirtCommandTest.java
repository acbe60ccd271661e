package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LibvirtCommandTest {
    private static final String DOMAIN = """
            <domain type='kvm'>
              <name>vm0</name><memory unit='MiB'>256</memory><vcpu>4</vcpu>
              <os><type machine='q35'>hvm</type></os><features><acpi/></features>
              <devices>
                <disk type='generic-vdpa'><source dev='disk0'/><target dev='vda'/></disk>
                <hostdev mode='subsystem' type='vdpa'><source dev='share0'/></hostdev>
              </devices>
            </domain>
            """;
    private static final String DEVICES = """
            {'devices':[
             {'name':'disk0','type':'blk','socket':'/d/disk0.sock','max_vqs':2,'attributes':{},'machine':null},
             {'name':'share0','type':'fs','socket':'/d/share0.sock','max_vqs':2,'attributes':{'tag':'data'}}]}""";

    @TempDir
    Path folder;

    private final ScriptedClient daemon = new ScriptedClient();

    @Test
    void whatIsNotSaidIsAskedOfTheDaemon() throws Exception {
        String file = Files.writeString(folder.resolve("vm0.xml"), DOMAIN).toString();
        daemon.on("GET /v1/devices", DEVICES);
        CommandResult both = daemon.run("libvirt", "lower", file);
        assertThat(both.exitCode()).as(both.err()).isZero();
        assertThat(both.out()).contains("path='/d/disk0.sock'", "queues='2'", "socket='/d/share0.sock'", "dir='data'");
        // What the user says goes first.
        CommandResult said = daemon.run("libvirt", "lower", file, "--device", "disk0=blk,socket=/e.sock");
        assertThat(said.out()).contains("path='/e.sock'", "queues='1'", "socket='/d/share0.sock'");
    }

    @Test
    void aDeviceThatNobodyKnowsIsNamed() throws Exception {
        String file = Files.writeString(folder.resolve("vm0.xml"), DOMAIN).toString();
        CommandResult without = daemon.run("libvirt", "lower", file, "--device", "share0=fs");
        assertThat(without.exitCode()).isEqualTo(ExitCodes.FAILED);
        assertThat(without.err()).contains("what the device disk0 is", "--device disk0=TYPE");
    }

    /** The socket is not there: what the daemon says comes before the look at it. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "'machine':'vm7' | the daemon's machine vm7 has it",
                "'problem':'no file /x' | the daemon could not make it: no file /x",
                "'connected':true | another program is connected to it",
                "'connected':false,'machine':null | there is no socket /d/disk0.sock"
            })
    void theHookRefusesWithTheDaemonsWords(String state, String reason) {
        daemon.on("GET /v1/devices", "{'devices':[{'name':'disk0','socket':'/d/disk0.sock',%s}]}".formatted(state));
        String document = """
                <domain><name>vm0</name><metadata><f:lowered xmlns:f='urn:fairlead:domain:1'>
                  <f:device alias='ua-0' dev='disk0' socket='/d/disk0.sock'/>
                </f:lowered></metadata></domain>
                """;
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(document.getBytes(StandardCharsets.UTF_8)));
        try {
            CommandResult refused = daemon.run("libvirt", "hook", "vm0", "prepare", "begin", "-");
            assertThat(refused.exitCode()).isEqualTo(ExitCodes.FAILED);
            assertThat(refused.err()).startsWith("fairlead: machine vm0: device disk0 (ua-0): " + reason);
        } finally {
            System.setIn(before);
        }
    }
}
