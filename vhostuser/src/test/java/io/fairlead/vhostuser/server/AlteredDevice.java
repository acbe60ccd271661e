package io.fairlead.vhostuser.server;

import io.fairlead.vdpa.VdpaDevice;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A real device of which a test answers some calls itself. */
final class AlteredDevice {
    /** What happens at a call; the arguments are null where there are none. */
    interface Answer {
        @Nullable
        Object to(Object @Nullable [] arguments) throws Throwable;
    }

    private AlteredDevice() {}

    /** @param instead by the names of the contract's methods */
    static VdpaDevice of(VdpaDevice device, Map<String, Answer> instead) {
        return (VdpaDevice) Proxy.newProxyInstance(
                VdpaDevice.class.getClassLoader(), new Class<?>[] {VdpaDevice.class}, (proxy, method, arguments) -> {
                    Answer answer = instead.get(method.getName());
                    if (answer != null) {
                        return answer.to(arguments);
                    }
                    try {
                        return method.invoke(device, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
