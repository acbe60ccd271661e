package io.fairlead.testbed;

import io.fairlead.qemu.Accelerator;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a user chooses.
 *
 * @param cacheDirectory where everything is kept
 * @param qemu a QEMU instead of the fetched ones, or null
 * @param kernel a guest kernel instead of the fetched one, or null
 * @param accelerator an accelerator instead of the probed one, or null
 */
public record TestbedOptions(
        Path cacheDirectory,
        @Nullable Path qemu,
        @Nullable GuestKernel kernel,
        @Nullable Accelerator accelerator) {

    /** The cache folder of the environment, and everything else fetched or probed. */
    public static TestbedOptions ofEnvironment() {
        Map<String, String> environment = System.getenv();
        return new TestbedOptions(
                // The JVM takes the home folder from the user database, a shell from the environment.
                Cache.ofEnvironment(
                                environment, environment.getOrDefault("HOME", System.getProperty("user.home", "/tmp")))
                        .directory(),
                null,
                null,
                null);
    }

    public TestbedOptions withCacheDirectory(Path directory) {
        return new TestbedOptions(directory, qemu, kernel, accelerator);
    }

    public TestbedOptions withQemu(Path program) {
        return new TestbedOptions(cacheDirectory, program, kernel, accelerator);
    }

    public TestbedOptions withKernel(GuestKernel own) {
        return new TestbedOptions(cacheDirectory, qemu, own, accelerator);
    }

    public TestbedOptions withAccelerator(Accelerator chosen) {
        return new TestbedOptions(cacheDirectory, qemu, kernel, chosen);
    }
}
