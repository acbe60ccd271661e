package io.fairlead.node;

import io.fairlead.node.channel.Message;
import io.fairlead.node.migration.MigrationReport;
import io.fairlead.node.migration.Outcome;
import java.io.IOException;

/** Who has a node's machines: told of those that come and go. Any thread; what is told is told once. */
public interface MachineOwner {
    /** Of a node whose machines are given by its user. */
    MachineOwner NONE = new MachineOwner() {
        @Override
        public void expect(String source, String machine, Message request) throws IOException {
            throw new IOException("the destination's node makes no machines: name it there by --machine");
        }

        @Override
        public void dismiss(String machine) {}

        @Override
        public void arrived(String machine, Outcome outcome) {}

        @Override
        public void departed(String machine, Outcome outcome) {}

        @Override
        public void recovered(String machine, MigrationReport report) {}
    };

    /**
     * Makes a machine ready to come: devices, and a QEMU that waits; the node has it on return.
     *
     * @param source the other node's name
     * @param request see {@link io.fairlead.node.migration.Kind#EXPECT}
     * @throws IOException where it cannot come: nothing is left of it
     */
    void expect(String source, String machine, Message request) throws IOException;

    /** A machine that was expected, and for which no migration has begun, does not come. */
    void dismiss(String machine);

    /**
     * What became of a machine that was to come; nothing happens to it any more. Also after a restart. On return the owner
     * has written it down: the node forgets it then.
     */
    void arrived(String machine, Outcome outcome);

    /**
     * What became, after a restart, of a migration from here that the node before had begun; before the node forgets the
     * migration.
     */
    void departed(String machine, Outcome outcome);

    /** The end of a migration from here that was taken up after a restart. */
    void recovered(String machine, MigrationReport report);
}
