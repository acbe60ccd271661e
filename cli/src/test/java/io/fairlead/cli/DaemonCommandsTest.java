package io.fairlead.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DaemonCommandsTest {
    private static final String MACHINES = """
            {'machines':[
             {'name':'vm0','state':'running','vcpus':2,'memoryBytes':536870912,'pid':77,'devices':[{},{}]},
             {'name':'vm1','state':'shut off','vcpus':16,'memoryBytes':1073741824,'pid':null,'devices':[]}]}""";

    private final ScriptedClient daemon = new ScriptedClient();

    @Test
    void machinesThatRunAreListedAndAllOnDemand() {
        daemon.on("GET /v1/machines", MACHINES);
        assertThat(daemon.run("vm", "list").out()).isEqualTo("""
                NAME  STATE    VCPUS   MEMORY  DEVICES  PROCESS
                vm0   running      2  512 MiB        2       77
                """);
        assertThat(daemon.run("vm", "list", "--all").out().lines().skip(1))
                .hasSize(2)
                .anyMatch(line -> line.equals("vm1   shut off     16  1.0 GiB        0        -"));
        assertThat(daemon.run("vm", "list", "--all", "--name").out()).isEqualTo("vm0\nvm1\n");
        assertThat(ScriptedClient.json(daemon.run("vm", "list", "--json").out()))
                .isEqualTo(ScriptedClient.json(MACHINES));
        assertThat(daemon.requests).contains("CLOSE");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "start vm0 | /start {\"paused\":false} | vm0 started",
                "start vm0 --paused | /start {\"paused\":true} | vm0 started",
                "shutdown vm0 | /shutdown | vm0 is shut off",
                "reboot vm0 | /reboot | vm0 was asked to reboot",
                "reset vm0 | /reset | vm0 was reset",
                "destroy vm0 | /destroy | vm0 is shut off",
                "suspend vm0 | /pause | vm0 is paused",
                "pause vm0 | /pause | vm0 is paused",
                "resume vm0 | /resume | vm0 goes on",
                "migrate --live vm0 b:7400 | /migrate {\"to\":\"b:7400\",\"selfCheck\":false} | vm0 runs at b:7400",
                "migrate vm0 b:7400 --multifd 4 --self-check | /migrate {\"to\":\"b:7400\",\"selfCheck\":true,\"multifdChannels\":4} | vm0 runs at b:7400"
            })
    void verbsBeginAnOperationAndWaitForIt(String words, String request, String said) {
        String path = "POST /v1/machines/vm0" + request.split(" ", 2)[0];
        daemon.on(path, "{'id':'7'}").operation("{'state':'running','phase':'at it'}", "{'state':'done'}");
        CommandResult result = daemon.run(("vm " + words).split(" "));
        assertThat(result.out()).isEqualTo(said + "\n");
        assertThat(result.exitCode()).as(result.err()).isZero();
        assertThat(daemon.requests).containsExactly("POST /v1/machines/vm0" + request, "AWAIT 7", "CLOSE");
    }

    @Test
    void anOperationThatFailsIsAFailureWithItsReason() {
        daemon.on("POST /v1/machines/vm0/start", "{'id':'7'}")
                .operation("{'state':'failed','error':{'code':'x','message':'machine vm0: no \\u001bmemory'}}");
        CommandResult result = daemon.run("vm", "start", "vm0");
        assertThat(result.exitCode()).isEqualTo(ExitCodes.FAILED);
        assertThat(result.err()).isEqualTo("fairlead: machine vm0: no ?memory\n");
        daemon.operation("{'state':'cancelled','error':null}");
        assertThat(daemon.run("vm", "start", "vm0").exitCode()).isEqualTo(ExitCodes.FAILED);
        CommandResult json = daemon.run("vm", "start", "vm0", "--json");
        assertThat(ScriptedClient.json(json.out()).path("state").asString()).isEqualTo("cancelled");
        assertThat(json.exitCode()).isEqualTo(ExitCodes.FAILED);
    }

    @Test
    void whatTheDaemonRefusesIsSaidInOneLine() {
        CommandResult result = daemon.run("vm", "domstate", "vm9");
        assertThat(result.exitCode()).isEqualTo(ExitCodes.FAILED);
        assertThat(result.err()).isEqualTo("fairlead: GET /v1/machines/vm9: there is none\n");
    }

    @Test
    void namesAreEncodedAsOneSegment() {
        CommandResult result = daemon.run("vm", "domstate", "../a b?c/%");
        assertThat(result.err()).contains("GET /v1/machines/..%2Fa%20b%3Fc%2F%25:");
    }

    @Test
    void aCheckSaysWhatIsAgainstAMove() {
        daemon.on(
                "POST /v1/machines/vm0/check",
                "{'lines':[{'severity':'refused','subject':'disk0','text':'smaller there'}],'refusal':'disk0 is smaller'}",
                "{'lines':[],'refusal':''}");
        CommandResult refused = daemon.run("vm", "migrate", "vm0", "b:1", "--check");
        assertThat(refused.out()).contains("refused   disk0    smaller there");
        assertThat(refused.err()).isEqualTo("fairlead: disk0 is smaller\n");
        assertThat(refused.exitCode()).isEqualTo(ExitCodes.FAILED);
        assertThat(daemon.run("vm", "migrate", "vm0", "b:1", "--check").exitCode())
                .isZero();
    }

    @Test
    void documentsAreSentAsTheyAre(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("vm0.xml");
        Files.writeString(file, "<domain/>");
        daemon.on(
                "POST /v1/machines",
                "{'machine':{'name':'vm0'},'notices':[{'line':3,'place':'domain/x','meaning':'kept as it is'}]}");
        CommandResult defined = daemon.run("vm", "define", file.toString());
        assertThat(defined.out()).isEqualTo("vm0 is defined\n");
        assertThat(defined.err()).isEqualTo(file + ":3: domain/x: kept as it is\n");
        assertThat(daemon.requests).contains("POST /v1/machines application/xml <domain/>");

        daemon.on("POST /v1/machines/vm0/devices?guestTimeoutSeconds=5", "{'id':'1'}")
                .operation("{'state':'done'}");
        assertThat(daemon.run("vm", "attach-device", "vm0", file.toString(), "--timeout", "5")
                        .out())
                .isEqualTo("vm0 has the device\n");
        daemon.on("DELETE /v1/machines/vm0/devices/disk%2F1?guestTimeoutSeconds=30", "{'id':'2'}");
        assertThat(daemon.run("vm", "detach-device", "vm0", "disk/1").out()).isEqualTo("vm0 has no disk/1 any more\n");
    }

    @Test
    void aConsoleIsOfThisHostAndOfAPortThatIsThere() {
        daemon.on("GET /v1/machines/vm0", "{'consoles':[]}");
        assertThat(daemon.run("vm", "console", "vm0").err()).contains("no serial port 0; it has 0");
        CommandResult remote = daemon.run("vm", "console", "vm0", "--connect", "https://b:7400");
        assertThat(remote.exitCode()).isEqualTo(ExitCodes.USAGE);
        assertThat(remote.err()).contains("the daemon's host");
    }

    @Test
    void topIsOneTableWithoutATerminal() {
        daemon.on(
                "GET /v1/statistics",
                "{'devices':[{'name':'d','machine':null,'queues':[{'requests':1}]}]}",
                "{'devices':[{'name':'d','machine':null,'queues':[{'requests':1}]}]}");
        CommandResult result = daemon.run("top", "--interval", "0.1");
        assertThat(result.out().lines()).hasSize(2).anyMatch(line -> line.startsWith("d       -                 0"));
        assertThat(result.out()).doesNotContain("\033");
        assertThat(ScriptedClient.json(daemon.run("top", "--once", "--json", "--interval", "0.1")
                                .out())
                        .at("/devices/0/name")
                        .asString())
                .isEqualTo("d");
        for (String wrong : new String[] {"0", "NaN", "1e9", "-1"}) {
            assertThat(daemon.run("top", "--interval", wrong).exitCode())
                    .as(wrong)
                    .isEqualTo(ExitCodes.USAGE);
        }
    }

    @Test
    void eventsEndAfterTheirCount() {
        daemon.on(
                "EVENTS 5",
                "[{'time':'t','kind':'log','object':'x','text':'a\\nb'},{'kind':'second'},{'kind':'third'}]");
        CommandResult result = daemon.run("events", "--after", "5", "--count", "2");
        assertThat(result.out()).isEqualTo("t log x a?b\n second - \n");
    }

    @Test
    void operationsAreListedShownAndCancelled() {
        daemon.on(
                        "GET /v1/operations",
                        "{'operations':[{'id':'3','kind':'start','object':'machine/vm0','state':'done'}]}")
                .on("GET /v1/operations/3", "{'id':'3'}")
                .on("DELETE /v1/operations/3", "{}")
                .operation("{'state':'done','notes':['a note']}");
        assertThat(daemon.run("operation", "list").out()).contains("3   start  machine/vm0  done");
        CommandResult shown = daemon.run("operation", "show", "3");
        assertThat(shown.out()).isEqualTo("done\n");
        assertThat(shown.err()).isEqualTo("a note\n");
        assertThat(daemon.run("operation", "cancel", "3").out()).isEqualTo("asked for\n");
    }

    @Test
    void theHostIsShown() {
        daemon.on("GET /v1/host", "{'name':'alpha','version':'1','qemu':{'version':'11.1'},'listen':null,'devices':3}");
        assertThat(daemon.run("host", "show").out()).contains("name      alpha\n", "listens   -\n", "devices   3\n");
    }
}
