/**
 * Machines on stock QEMU: how a QEMU is started ({@link io.fairlead.qemu.QemuBinary}), what a machine consists of
 * ({@link io.fairlead.qemu.MachineSpec}), the running process ({@link io.fairlead.qemu.Machine}), its serial ports
 * ({@link io.fairlead.qemu.SerialPort}) and its monitor ({@link io.fairlead.qemu.Qmp}).
 */
@NullMarked
package io.fairlead.qemu;

import org.jspecify.annotations.NullMarked;
