package io.fairlead.vdpa;

import io.fairlead.virtio.parts.Octets;

/**
 * What a device keeps that only devices of the same make understand: no other needs it, and none but they are given it.
 *
 * @param vendor who made the device, and which one it is; equal for devices that take each other's
 * @param version of the layout of the data
 * @param data opaque
 */
public record VendorState(String vendor, String version, Octets data) {}
