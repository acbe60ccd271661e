package io.fairlead.cli.demo;

import io.fairlead.testbed.Testbed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** What the host finds in the images when the guest has gone: past the device and past the guest's own caches. */
final class HostChecks {
    private final Testbed testbed;
    private final Path folder;

    HostChecks(Testbed testbed, Path folder) {
        this.testbed = testbed;
        this.folder = folder;
    }

    /**
     * @param fixedSum SHA-256 of the read-only image as it was
     * @param hasConsole whether the guest has one
     * @param lines what the guest reported; one names a file of the data disk and its SHA-256
     */
    List<DemoReport.Check> run(String fixedSum, boolean hasConsole, List<JsonNode> lines)
            throws IOException, InterruptedException {
        List<DemoReport.Check> checks = new ArrayList<>();
        boolean same = sha256(Files.readAllBytes(folder.resolve("fixed.img"))).equals(fixedSum);
        checks.add(new DemoReport.Check("host: read-only image", same, same ? "unchanged" : "changed"));
        String data = folder.resolve("data.img").toString();
        Output clean = run("usr/sbin/e2fsck", "-f", "-n", data);
        checks.add(new DemoReport.Check(
                "host: data image", clean.status() == 0, clean.status() == 0 ? "file system clean" : clean.text()));
        for (JsonNode line : lines) {
            if (line.has("file")) {
                String file = line.path("file").asString();
                String found = sha256(
                        run("usr/sbin/debugfs", "-R", "cat " + file, data).bytes());
                boolean equal = found.equals(line.path("sha256").asString());
                checks.add(new DemoReport.Check(
                        "host: " + file, equal, equal ? "as the guest wrote it" : "SHA-256 is " + found));
            }
        }
        checks.add(journal(lines));
        if (hasConsole) {
            String said = Files.readString(DemoDevices.console(folder)).replace("\r", "");
            boolean all = said.equals("here\nback\n");
            checks.add(new DemoReport.Check(
                    "host: console", all, all ? "what the guest put out before and after the moves" : said));
        }
        return checks;
    }

    /** The guest wrote its lines, numbered, to a file of the shared folder that it had open and locked. */
    private DemoReport.Check journal(List<JsonNode> lines) throws IOException {
        String name = "host: shared file during the moves";
        long written = lines.stream()
                .mapToLong(line -> line.path("journalLines").asLong(0))
                .sum();
        List<String> found = Files.readAllLines(DemoDevices.share(folder).resolve("journal"));
        for (int i = 0; i < found.size(); i++) {
            if (!found.get(i).equals(Integer.toString(i + 1))) {
                return new DemoReport.Check(name, false, "line %d is '%s'".formatted(i + 1, found.get(i)));
            }
        }
        return new DemoReport.Check(
                name,
                written > 0 && found.size() == written,
                "%d lines of the %d that the guest wrote".formatted(found.size(), written));
    }

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Output(int status, byte[] bytes) {
        String text() {
            return new String(bytes, StandardCharsets.UTF_8).strip();
        }
    }

    private Output run(String program, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(testbed.hostCommand(program));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        byte[] bytes = process.getInputStream().readAllBytes();
        return new Output(process.waitFor(), bytes);
    }

    static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
