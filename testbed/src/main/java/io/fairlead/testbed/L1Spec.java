package io.fairlead.testbed;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An L1 host: which kernel it has, its size, and what the outer QEMU gives it. Not for several threads. */
public final class L1Spec {
    final L1Kernel kernel;
    int memoryMib = 3072;
    int processors = 2;
    String name = "l1";
    Duration bootTimeout = Duration.ofMinutes(3);
    final List<String> kernelArguments = new ArrayList<>();
    final List<String> arguments = new ArrayList<>();

    @Nullable
    L1Link link;

    private L1Spec(L1Kernel kernel) {
        this.kernel = kernel;
    }

    /** A host with 3 GiB of memory and two processors. */
    public static L1Spec of(L1Kernel kernel) {
        return new L1Spec(kernel);
    }

    public L1Spec memoryMib(int value) {
        this.memoryMib = value;
        return this;
    }

    public L1Spec processors(int value) {
        this.processors = value;
        return this;
    }

    /** Names the machine, in messages and in files. */
    public L1Spec name(String value) {
        this.name = value;
        return this;
    }

    /** How long it may take until commands run, 3 minutes by default. */
    public L1Spec bootTimeout(Duration value) {
        this.bootTimeout = value;
        return this;
    }

    /** An IOMMU, which vp_vdpa needs. Before the devices that shall be behind it. */
    public L1Spec iommu() {
        kernelArguments.add("intel_iommu=on");
        return arguments("-device", "intel-iommu");
    }

    /**
     * A virtio PCI device of the outer QEMU that L1's vp_vdpa can take: of the modern kind, behind the IOMMU.
     *
     * @param device the device's name and options, such as {@code virtio-blk-pci,drive=d0}
     */
    public L1Spec vdpaParent(String device) {
        return arguments("-device", device + ",disable-legacy=on,iommu_platform=on");
    }

    /** The host is at one end of a cable; another is, or will be, at the other. */
    public L1Spec link(L1Link end) {
        this.link = end;
        return arguments(end.arguments().toArray(String[]::new));
    }

    /** Further arguments of the outer QEMU as they are. */
    public L1Spec arguments(String... more) {
        arguments.addAll(List.of(more));
        return this;
    }
}
