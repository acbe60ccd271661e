package io.fairlead.qemu;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * What a migration changes in a QEMU beside the migration itself: capabilities, parameters, certificates. {@link #undo}
 * puts back what was there, so that the next migration, in either direction, starts clean. One thread at a time.
 */
final class MigrationSettings {
    private static final String CREDENTIALS = "fairlead-migration-tls";

    private final Qmp qmp;
    private final Map<String, Boolean> capabilities = new LinkedHashMap<>();
    private final Map<String, Object> parameters = new LinkedHashMap<>();
    private boolean credentialsAdded;

    private MigrationSettings(Qmp qmp) {
        this.qmp = qmp;
    }

    /**
     * Applies options; where QEMU refuses one, those applied before are taken back.
     *
     * @param endpoint server at the destination, client at the source
     */
    static MigrationSettings apply(Qmp qmp, MigrationOptions options, String endpoint) throws IOException {
        MigrationSettings settings = new MigrationSettings(qmp);
        boolean done = false;
        try {
            clearWhatIsLeft(qmp);
            settings.remember();
            settings.setCapabilities(options.capabilities());
            settings.setParameters(options, endpoint);
            done = true;
            return settings;
        } finally {
            if (!done && qmp.isOpen()) {
                settings.undo();
            }
        }
    }

    private void remember() throws IOException {
        Map<String, Boolean> known = new LinkedHashMap<>();
        for (JsonNode entry : qmp.execute("query-migrate-capabilities")) {
            known.put(entry.path("capability").asString(""), entry.path("state").asBoolean(false));
        }
        for (String name : MigrationOptions.plain().capabilities().keySet()) {
            Boolean state = known.get(name);
            if (state == null) {
                throw new IOException("This QEMU has no migration capability " + name + ": version 5.0 or later has");
            }
            capabilities.put(name, state);
        }
        JsonNode before = qmp.execute("query-migrate-parameters");
        for (String name : MigrationOptions.parameterNames()) {
            JsonNode value = before.path(name);
            if (value.isNumber()) {
                parameters.put(name, value.asLong());
            } else if (name.startsWith("tls")) {
                parameters.put(name, value.asString(""));
            }
        }
    }

    private void setCapabilities(Map<String, Boolean> values) throws IOException {
        List<Map<String, Object>> list = new ArrayList<>();
        values.forEach((name, state) -> list.add(Map.of("capability", name, "state", state)));
        JsonNode _ = qmp.execute("migrate-set-capabilities", Map.of("capabilities", list));
    }

    private void setParameters(MigrationOptions options, String endpoint) throws IOException {
        Map<String, Object> values = new LinkedHashMap<>(options.parameters());
        MigrationTls tls = options.tls();
        if (tls != null) {
            JsonNode _ = qmp.execute(
                    "object-add",
                    Map.of(
                            "qom-type",
                            "tls-creds-x509",
                            "id",
                            CREDENTIALS,
                            "dir",
                            tls.directory().toString(),
                            "endpoint",
                            endpoint,
                            "verify-peer",
                            true));
            credentialsAdded = true;
            values.put("tls-creds", CREDENTIALS);
            tls.expected().ifPresent(name -> values.put("tls-hostname", name));
        }
        if (!values.isEmpty()) {
            JsonNode _ = qmp.execute("migrate-set-parameters", values);
        }
    }

    /**
     * Credentials of ours that nobody uses are of a process that was killed before it could put back what was there: not
     * known any more, so it is what QEMU starts with. Or a bandwidth limit would be the next migration's, too.
     */
    private static void clearWhatIsLeft(Qmp qmp) throws IOException {
        for (JsonNode entry : qmp.execute("qom-list", Map.of("path", "/objects"))) {
            if (entry.path("name").asString("").equals(CREDENTIALS)) {
                List<Map<String, Object>> off = new ArrayList<>();
                for (String name : MigrationOptions.plain().capabilities().keySet()) {
                    off.add(Map.of("capability", name, "state", false));
                }
                JsonNode _ = qmp.execute("migrate-set-capabilities", Map.of("capabilities", off));
                JsonNode _ = qmp.execute("migrate-set-parameters", MigrationOptions.startingParameters());
                JsonNode _ = qmp.execute("object-del", Map.of("id", CREDENTIALS));
            }
        }
    }

    /** Puts everything back; not while a migration runs. Once is enough, twice does no harm. */
    void undo() throws IOException {
        if (!capabilities.isEmpty()) {
            setCapabilities(capabilities);
        }
        if (!parameters.isEmpty()) {
            JsonNode _ = qmp.execute("migrate-set-parameters", parameters);
        }
        if (credentialsAdded) {
            JsonNode _ = qmp.execute("object-del", Map.of("id", CREDENTIALS));
            credentialsAdded = false;
        }
    }
}
