package io.fairlead.systemtests;

import io.fairlead.vdpa.SharedDirtyLog;
import io.fairlead.vdpa.VdpaDevice;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

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

    /** A device that logs what it writes while a test has it so, and always says that it does. */
    static VdpaDevice withLogWhile(VdpaDevice device, AtomicBoolean logs) {
        return proxy(device, "dirtyLog", logs::get);
    }

    /** A device whose log of written pages is another one, in which nobody looks. */
    static VdpaDevice withLogElsewhere(VdpaDevice device, SharedDirtyLog elsewhere) {
        return proxy((method, arguments) -> {
            if (method.getName().equals("dirtyLog") && arguments[0] != null) {
                return method.invoke(device, elsewhere);
            }
            return method.invoke(device, arguments);
        });
    }

    /** A device that says it can do so much only. */
    static VdpaDevice withCapabilities(VdpaDevice device, Set<VdpaDevice.Capability> capabilities) {
        return proxy((method, arguments) ->
                method.getName().equals("capabilities") ? capabilities : method.invoke(device, arguments));
    }

    /** A device before whose queues start something is done. */
    static VdpaDevice beforeStart(VdpaDevice device, Runnable first) {
        return proxy((method, arguments) -> {
            if (method.getName().equals("queueReady") && arguments.length == 2 && arguments[1].equals(true)) {
                first.run();
            }
            return method.invoke(device, arguments);
        });
    }

    /** What happens before a call; it is made where this says so. */
    private interface Before {
        boolean call();
    }

    /** What becomes of a call. */
    private interface Call {
        @Nullable
        Object make(Method method, Object @Nullable [] arguments)
                throws InvocationTargetException, IllegalAccessException;
    }

    private static VdpaDevice proxy(VdpaDevice device, String name, Before before) {
        return proxy((method, arguments) ->
                method.getName().equals(name) && !before.call() ? null : method.invoke(device, arguments));
    }

    private static VdpaDevice proxy(Call call) {
        return (VdpaDevice) Proxy.newProxyInstance(
                VdpaDevice.class.getClassLoader(), new Class<?>[] {VdpaDevice.class}, (_, method, arguments) -> {
                    try {
                        return call.make(method, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
