package io.fairlead.systemtests;

import io.fairlead.vdpa.VdpaDevice;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;

/** Real devices at which a test looks, or of which it takes something away. */
final class ObservedDevice {
    private ObservedDevice() {}

    /** Counts the calls of a method of the contract. */
    static VdpaDevice of(VdpaDevice device, String method, AtomicInteger calls) {
        return proxy(device, method, () -> {
            calls.incrementAndGet();
            return true;
        });
    }

    /** A device that says it logs what it writes and does not: the control of tests that would notice. */
    static VdpaDevice withoutLog(VdpaDevice device) {
        return proxy(device, "dirtyLog", () -> false);
    }

    /** What happens before a call; it is made where this says so. */
    private interface Before {
        boolean call();
    }

    private static VdpaDevice proxy(VdpaDevice device, String name, Before before) {
        return (VdpaDevice) Proxy.newProxyInstance(
                VdpaDevice.class.getClassLoader(), new Class<?>[] {VdpaDevice.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals(name) && !before.call()) {
                        return null;
                    }
                    try {
                        return method.invoke(device, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
