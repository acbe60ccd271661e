package io.fairlead.vdpa.state;

import java.io.IOException;
import java.util.List;

/** A device state that is sound but does not fit the device; nothing of the device was changed. */
public final class StateRefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String[] reasons;

    /** @param reasons each a sentence of its own */
    public StateRefusedException(String device, List<String> reasons) {
        super("%s does not take the state: %s".formatted(device, String.join("; ", reasons)));
        this.reasons = reasons.toArray(String[]::new);
    }

    public List<String> reasons() {
        return List.of(reasons);
    }
}
