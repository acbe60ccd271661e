package io.fairlead.node.migration;

/** Who watches a migration. Called on threads of the migration; must not wait. */
public interface MigrationListener {
    /** A phase begins. */
    void phase(Phase phase);

    /** Something that an operator wants to know, such as a connection that has to be found again. */
    void note(String text);

    /** What became of the machine, as it is written down; before the migration is forgotten. */
    default void decided(Outcome outcome) {}
}
