package io.fairlead.vhostuser.server;

import io.fairlead.vhostuser.protocol.Request;

/**
 * Keeps a client from starting rings: its session waits before the first message that sets one up. A QEMU that wants to
 * let its machine run again waits with it, before a processor of the machine has moved. Thread-safe.
 */
final class RingGate {
    private boolean held;

    synchronized void hold() {
        held = true;
    }

    synchronized boolean isHeld() {
        return held;
    }

    synchronized void release() {
        held = false;
        notifyAll();
    }

    /** Waits where a message sets up a ring and the gate is closed. */
    synchronized void pass(Request request) {
        boolean interrupted = false;
        while (held && setsUpRings(request)) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** SET_FEATURES is where a client begins again, and what the device was before would be gone. */
    private static boolean setsUpRings(Request request) {
        return switch (request) {
            case SET_FEATURES, SET_LOG_BASE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, SET_VRING_KICK -> true;
            default -> false;
        };
    }
}
