import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Adds the Java runtime, which Maven does not know, to a list of components in CycloneDX's JSON. */
public final class SbomRuntime {
    private SbomRuntime() {}

    /** @param arguments the list as Maven made it, the runtime's folder, the file to write */
    public static void main(String[] arguments) throws IOException {
        Properties release = new Properties();
        try (var reader = Files.newBufferedReader(Path.of(arguments[1], "release"))) {
            release.load(reader);
        }
        String version = release.getProperty("JAVA_RUNTIME_VERSION", release.getProperty("JAVA_VERSION")).replace("\"", "");
        JsonMapper mapper = new JsonMapper();
        ObjectNode document = (ObjectNode) mapper.readTree(Path.of(arguments[0]));
        ArrayNode components = (ArrayNode) document.path("components");
        ObjectNode runtime = components.addObject();
        runtime.put("type", "platform").put("bom-ref", "java-runtime@" + version).put("name", "OpenJDK runtime");
        runtime.put("version", version);
        runtime.put("description", "Modules: " + release.getProperty("MODULES", "").replace("\"", ""));
        runtime.putArray("licenses").addObject().put("expression", "GPL-2.0-only WITH Classpath-exception-2.0");
        mapper.writerWithDefaultPrettyPrinter().writeValue(Path.of(arguments[2]), document);
    }
}
