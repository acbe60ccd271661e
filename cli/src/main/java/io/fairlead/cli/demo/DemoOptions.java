package io.fairlead.cli.demo;

import io.fairlead.testbed.GuestSpec;
import io.fairlead.testbed.QemuRelease;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * How the demo runs.
 *
 * @param work the folder for everything it makes; null for a temporary one
 */
public record DemoOptions(
        QemuRelease release, GuestSpec.Boot boot, @Nullable Path work) {}
