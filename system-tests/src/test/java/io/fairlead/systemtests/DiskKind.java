package io.fairlead.systemtests;

import java.io.IOException;

/** Whose a host's disk is, and who logs the pages that it writes. Its text stands in tables. */
interface DiskKind {
    /** The feature bits that such a disk may have; of both disks of a cell those of both are used. */
    long features();

    /** The most queues that such a disk has. */
    int maxQueues();

    /** Makes the disk of a host, as {@link HostKind#make}. */
    HostDevice make(HostPlace place, DiskNeeds needs) throws IOException;
}
