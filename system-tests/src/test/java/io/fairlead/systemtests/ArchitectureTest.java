package io.fairlead.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.MemberRefEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The arrows between modules and packages, held by what the compiler wrote. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ArchitectureTest {
    private static final String PREFIX = "io.fairlead.";

    /** What each module may name in its {@code requires}. A module that is missing here is not allowed at all. */
    private static final Map<String, Set<String>> MAY_USE = Map.ofEntries(
            Map.entry("linux", Set.of()),
            Map.entry("virtio", Set.of("linux")),
            Map.entry("vdpa", Set.of("virtio")),
            Map.entry("devices", Set.of("vdpa")),
            Map.entry("vhostuser", Set.of("vdpa")),
            Map.entry("kernel", Set.of("vdpa")),
            Map.entry("qemu", Set.of("linux")),
            Map.entry("testbed", Set.of("linux", "qemu")),
            Map.entry("node", Set.of("linux", "virtio", "vdpa", "devices", "vhostuser", "kernel", "qemu")),
            Map.entry("daemon", Set.of("linux", "virtio", "vdpa", "devices", "vhostuser", "kernel", "qemu", "node")),
            Map.entry("bench", Set.of("linux", "virtio", "vdpa", "devices", "vhostuser", "kernel", "qemu", "testbed")),
            Map.entry(
                    "cli",
                    Set.of(
                            "linux",
                            "virtio",
                            "vdpa",
                            "devices",
                            "vhostuser",
                            "kernel",
                            "qemu",
                            "testbed",
                            "node",
                            "daemon",
                            "bench")));

    /** What the JDK calls restricted and can make the JVM crash; by class and method. */
    private static final Set<String> RESTRICTED = Set.of(
            "java/lang/foreign/Linker.nativeLinker",
            "java/lang/foreign/Linker.downcallHandle",
            "java/lang/foreign/Linker.upcallStub",
            "java/lang/foreign/MemorySegment.reinterpret",
            "java/lang/foreign/SymbolLookup.libraryLookup",
            "java/lang/foreign/AddressLayout.withTargetLayout",
            "java/lang/ModuleLayer$Controller.enableNativeAccess",
            "java/lang/System.load",
            "java/lang/System.loadLibrary",
            "java/lang/Runtime.load",
            "java/lang/Runtime.loadLibrary");

    private final Path root = Path.of(System.getProperty("fairlead.root"));

    List<String> modules() {
        return MAY_USE.keySet().stream().sorted().toList();
    }

    @Test
    void everyModuleHasItsPlace() throws IOException {
        try (Stream<Path> folders = Files.list(root)) {
            Set<String> found = folders.filter(folder -> Files.exists(folder.resolve("src/main/java/module-info.java")))
                    .map(folder -> folder.getFileName().toString())
                    .collect(Collectors.toCollection(TreeSet::new));
            assertThat(found).isEqualTo(new TreeSet<>(MAY_USE.keySet()));
        }
    }

    @ParameterizedTest
    @MethodSource("modules")
    void requiresOnlyWhatIsBelow(String module) {
        Set<String> required = descriptor(module).requires().stream()
                .map(ModuleDescriptor.Requires::name)
                .filter(name -> name.startsWith(PREFIX))
                .map(name -> name.substring(PREFIX.length()))
                .collect(Collectors.toSet());
        assertThat(MAY_USE.get(module)).as(module).containsAll(required);
    }

    @ParameterizedTest
    @MethodSource("modules")
    void packagesBearTheModulesName(String module) {
        assertThat(descriptor(module).packages())
                .isNotEmpty()
                .allMatch(name -> (name + ".").startsWith(PREFIX + module + "."));
    }

    @ParameterizedTest
    @MethodSource("modules")
    void restrictedCallsAreMadeInLinuxAlone(String module) throws IOException {
        List<String> found = new ArrayList<>();
        for (ClassModel type : classes(module)) {
            for (PoolEntry entry : type.constantPool()) {
                if (entry instanceof MemberRefEntry member) {
                    String call = member.owner().asInternalName() + "."
                            + member.name().stringValue();
                    if (RESTRICTED.contains(call)) {
                        found.add(type.thisClass().asInternalName() + ": " + call);
                    }
                }
            }
        }
        if (module.equals("linux")) {
            // The check itself sees such calls.
            assertThat(found).isNotEmpty();
        } else {
            assertThat(found).isEmpty();
        }
    }

    @Test
    void deviceTypesDoNotUseEachOther() throws IOException {
        String prefix = "io/fairlead/devices/";
        for (ClassModel type : classes("devices")) {
            String own = folder(type.thisClass().asInternalName(), prefix);
            Set<String> used = usedClasses(type)
                    .filter(name -> name.startsWith(prefix))
                    .map(name -> folder(name, prefix))
                    .collect(Collectors.toCollection(TreeSet::new));
            used.remove(own);
            // A type stands on base and storage, these on no type; one folder knows all types, and none of them knows
            // it.
            switch (own) {
                case "base" -> {}
                case "storage" -> used.remove("base");
                case "all" -> used.clear();
                default -> used.removeAll(Set.of("base", "storage"));
            }
            assertThat(used).as(type.thisClass().asInternalName()).isEmpty();
        }
    }

    @Test
    void frontEndsAndDevicesDoNotKnowEachOther() throws IOException {
        for (ClassModel type : classes("vhostuser")) {
            assertThat(usedClasses(type)).noneMatch(name -> name.startsWith("io/fairlead/devices/"));
        }
        for (String below : List.of("vdpa", "devices")) {
            for (ClassModel type : classes(below)) {
                assertThat(usedClasses(type)).noneMatch(name -> name.startsWith("io/fairlead/vhostuser/"));
            }
        }
    }

    private static String folder(String internalName, String prefix) {
        String rest = internalName.substring(prefix.length());
        return rest.substring(0, Math.max(0, rest.indexOf('/')));
    }

    private static Stream<String> usedClasses(ClassModel type) {
        return StreamSupport.stream(type.constantPool().spliterator(), false)
                .filter(ClassEntry.class::isInstance)
                .map(entry -> ((ClassEntry) entry).asInternalName());
    }

    private ModuleDescriptor descriptor(String module) {
        return ModuleFinder.of(compiled(module))
                .find(PREFIX + module)
                .map(ModuleReference::descriptor)
                .orElseThrow(() -> new AssertionError(module + " is not compiled or has another name"));
    }

    private List<ClassModel> classes(String module) throws IOException {
        List<ClassModel> classes = new ArrayList<>();
        try (Stream<Path> walk = Files.walk(compiled(module))) {
            for (Path file : walk.filter(path -> isType(path)).toList()) {
                classes.add(ClassFile.of().parse(file));
            }
        }
        assertThat(classes).as(module).isNotEmpty();
        return classes;
    }

    private static boolean isType(Path path) {
        return path.toString().endsWith(".class") && !path.endsWith("module-info.class");
    }

    private Path compiled(String module) {
        return root.resolve(module).resolve("target/classes");
    }
}
