package io.fairlead.systemtests;

import io.fairlead.testbed.DeviceWrittenReads;
import io.fairlead.vdpa.VdpaDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;

/** Two hosts, each with its own vendor's disk over the same image, and a guest under verified load. One thread. */
final class DiskHosts extends VendorHosts {
    /** @param shown makes of each host's disk what QEMU and the node see */
    DiskHosts(Path folder, VendorCell cell, UnaryOperator<VdpaDevice> shown) throws IOException, InterruptedException {
        this(folder, folder.resolve("data.img"), cell, Guests.ORDINARY, new GuestLoad("/dev/vda"), shown);
    }

    /** @param image what the disks store, a file that is made or a block device; it is written first */
    DiskHosts(Path folder, Path image, VendorCell cell, Guests guests, GuestLoad load, UnaryOperator<VdpaDevice> shown)
            throws IOException, InterruptedException {
        super(
                folder,
                cell.disks(load.write(image)),
                List.of(cell.qemuHere(), cell.qemuThere()),
                guests,
                load.job(),
                shown);
    }

    @Override
    void load() {
        long rounds = GuestLoad.rounds(guest().lines());
        await(() -> GuestLoad.rounds(guest().lines()) >= rounds + 2);
    }

    /** What the readers found so far that is not as the host wrote it. */
    List<String> differences() {
        return DeviceWrittenReads.totals(guest().lines()).differences();
    }

    /** Stops the load, lets the guest power off, and checks that nothing was lost. */
    GuestLoad.Outcome end() throws IOException, InterruptedException {
        guest().send("stop");
        GuestLoad.Outcome outcome = GuestLoad.check(guest().awaitResult(Lab.PATIENCE));
        checkHosts();
        return outcome;
    }
}
