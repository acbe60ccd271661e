package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The commands of {@code fairlead dev} and {@code fairlead mgmtdev} with a daemon. */
class DaemonDevicesTest {
    private static final String DISK =
            "{'name':'disk0','type':'block','mgmtdev':'software','machine':'vm0','connected':true,'attributes':{'path':'/a b'}}";
    private static final String[] AT = {"--connect", "/there"};

    private final ScriptedClient daemon = new ScriptedClient().on("GET /v1/devices", "{'devices':[" + DISK + "]}");

    private CommandResult run(String words) {
        String[] all = (words + " " + String.join(" ", AT)).split(" ");
        return daemon.run(all);
    }

    @Test
    void whatADaemonHasIsShown() {
        String table = """
                NAME   TYPE   MGMTDEV   MACHINE  CONNECTED  ATTRIBUTES
                disk0  block  software  vm0      yes        path=/a b
                """;
        assertThat(run("dev show").out()).isEqualTo(table);
        assertThat(run("dev show disk0").out()).isEqualTo(table);
        assertThat(ScriptedClient.json(run("dev show disk0 --json").out())).isEqualTo(ScriptedClient.json(DISK));
        assertThat(ScriptedClient.json(run("dev show --json").out()))
                .isEqualTo(ScriptedClient.json("{'devices':[" + DISK + "]}"));
    }

    @Test
    void aDeviceIsMadeOfWordsAndAttributes() {
        daemon.on("POST /v1/devices", DISK);
        CommandResult made = run("dev add name disk0 type blk path=/a,b queues=2");
        assertThat(made.exitCode()).as(made.err()).isZero();
        assertThat(daemon.requests)
                .contains(
                        "POST /v1/devices {\"name\":\"disk0\",\"type\":\"blk\",\"attributes\":{\"path\":\"/a,b\",\"queues\":\"2\"}}");
        assertThat(run("dev add name disk0 type blk path=/a path=/b").err()).contains("'path' is there twice");
        assertThat(run("dev add type blk path=/a").err()).contains("'name' is missing");
        assertThat(run("dev add name disk0 type blk speed 3").err()).contains("unknown word 'speed'");
    }

    @Test
    void aDeviceIsChangedCountedAndRemoved() {
        daemon.on("PATCH /v1/devices/disk0", DISK)
                .on("DELETE /v1/devices/disk0", "{}")
                .on(
                        "GET /v1/devices/disk0/statistics",
                        "{'name':'disk0','queues':[{'requests':3,'markedPages':null}],'counters':{'writes':2}}");
        assertThat(run("dev set disk0 size=2G --force").exitCode()).isZero();
        assertThat(daemon.requests)
                .contains("PATCH /v1/devices/disk0 {\"force\":true,\"attributes\":{\"size\":\"2G\"}}");
        assertThat(run("dev stats disk0").out()).isEqualTo("""
                disk0:
                  queue 0 requests 3 markedPages unknown
                  writes 2
                """);
        assertThat(run("dev del disk0").exitCode()).isZero();
        assertThat(daemon.requests).contains("DELETE /v1/devices/disk0");
    }

    @Test
    void managementDevicesAreTheDaemons() {
        daemon.on(
                "GET /v1/mgmtdevs",
                "{'mgmtdevs':[{'name':'software','supported_classes':['net','block']},{'name':'vhost-vdpa','supported_classes':['any']}]}");
        assertThat(run("mgmtdev show").out()).isEqualTo("""
                software: supported_classes net block
                vhost-vdpa: supported_classes any
                """);
        assertThat(run("mgmtdev show software").out()).isEqualTo("software: supported_classes net block\n");
        assertThat(run("mgmtdev show nothing").err()).contains("management device nothing: the daemon has none");
    }
}
