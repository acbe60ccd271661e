package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A guest that moves from QEMU to QEMU, as often as one likes, while its job goes on reporting: what it reports is one
 * stream, wherever it runs. It does not migrate by itself: who does starts the destination, moves the guest by the two
 * monitors, and then says how it went. One thread, but for what only reads.
 */
public final class MigratingGuest implements AutoCloseable {
    private final Testbed testbed;
    private final Path directory;
    private final boolean ownDirectory;
    private Guest current;
    private @Nullable Guest destination;
    private int started = 1;

    private MigratingGuest(Testbed testbed, Path directory, boolean ownDirectory, Guest current) {
        this.testbed = testbed;
        this.directory = directory;
        this.ownDirectory = ownDirectory;
        this.current = current;
    }

    /** Boots the guest; each QEMU gets a folder of its own in the work folder. */
    public static MigratingGuest start(Testbed testbed, GuestSpec spec) throws IOException {
        Path chosen = spec.workDirectory;
        Path directory = chosen != null ? Files.createDirectories(chosen) : Files.createTempDirectory("fairlead");
        boolean done = false;
        try {
            Guest guest = Guest.start(testbed, spec.workDirectory(directory.resolve("0")));
            done = true;
            return new MigratingGuest(testbed, directory, chosen == null, guest);
        } finally {
            if (!done && chosen == null) {
                Cache.deleteTree(directory);
            }
        }
    }

    /** Where the guest runs. */
    public Guest current() {
        return current;
    }

    /**
     * Starts the QEMU to which the guest shall move.
     *
     * @param spec made by {@link GuestSpec#destination}, with its devices
     */
    public Guest startDestination(GuestSpec spec) throws IOException {
        if (!spec.incoming) {
            throw new IllegalArgumentException("A destination's specification is made by GuestSpec.destination");
        }
        if (destination != null) {
            throw new IllegalStateException("There is a destination already");
        }
        Guest started =
                Guest.start(testbed, spec.workDirectory(directory.resolve(Integer.toString(this.started++))), current);
        destination = started;
        return started;
    }

    /** The guest runs at the destination now: input goes there, and the QEMU where it was ends. */
    public void moved() throws IOException {
        Guest to = destination;
        if (to == null) {
            throw new IllegalStateException("There is no destination");
        }
        Guest from = current;
        current = to;
        destination = null;
        to.machine().takeSerialInput();
        from.close();
    }

    /** The guest stays where it is: the destination's QEMU ends. */
    public void stayed() throws IOException {
        Guest to = destination;
        destination = null;
        if (to != null) {
            to.close();
        }
    }

    /** Everything that the guest reported so far, wherever it ran. */
    public List<JsonNode> lines() {
        return current.lines();
    }

    /** As {@link Guest#awaitBoot}. */
    public void awaitBoot() throws IOException, InterruptedException {
        current.awaitBoot();
    }

    /** As {@link Guest#awaitLine}, wherever the guest reported it. */
    public JsonNode awaitLine(Predicate<JsonNode> wanted, Duration timeout) throws IOException, InterruptedException {
        return current.awaitLine(wanted, timeout);
    }

    /** Sends a line to a job that waits in {@code receive}, where the guest runs. */
    public void send(String line) throws IOException {
        current.send(line);
    }

    /** As {@link Guest#awaitResult}; its times are of the last QEMU alone. */
    public GuestResult awaitResult(Duration timeout) throws IOException, InterruptedException {
        return current.awaitResult(timeout);
    }

    @Override
    public void close() throws IOException {
        try (Guest _ = current) {
            stayed();
        } finally {
            if (ownDirectory) {
                Cache.deleteTree(directory);
            }
        }
    }
}
