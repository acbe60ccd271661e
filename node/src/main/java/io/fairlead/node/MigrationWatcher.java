package io.fairlead.node;

import io.fairlead.node.migration.MigrationListener;
import io.fairlead.node.migration.StreamProgress;

/** Who asked for a migration and sees it go. Called on threads of the node; must not wait. */
public interface MigrationWatcher extends MigrationListener {
    /** What the check before it says. */
    void checked(MachineCheck check);

    /** How far memory is. */
    void progress(StreamProgress progress);
}
