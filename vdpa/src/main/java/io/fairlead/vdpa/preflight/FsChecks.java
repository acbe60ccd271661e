package io.fairlead.vdpa.preflight;

import static io.fairlead.vdpa.preflight.FieldRule.Relation.AT_LEAST;
import static io.fairlead.vdpa.preflight.FieldRule.Relation.EQUAL;

import io.fairlead.virtio.FsConfig;
import java.util.List;
import java.util.Set;

/** The file system device. */
final class FsChecks {
    static final TypeChecks CHECKS = new TypeChecks(
            List.of(
                    new FieldRule(FsConfig.TAG, EQUAL, "give the destination the source's tag"),
                    new FieldRule(FsConfig.NUM_REQUEST_QUEUES, EQUAL, "give the destination as many request queues"),
                    new FieldRule(
                            FsConfig.NOTIFY_BUFFER_BYTES, AT_LEAST, "use a destination that takes as large ones")),
            Set.of("export"),
            true);

    /** Where a side does not say what it exports, as no device of another daemon does. */
    static final String EXPORT_REMEDY =
            "serve the folder by Fairlead at both sides, with export=ID where it cannot be told: what a guest has open,"
                    + " other daemons hand on in forms of their own; or have the guest unmount it before the move";

    private FsChecks() {}
}
