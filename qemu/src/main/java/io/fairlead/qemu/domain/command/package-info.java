/**
 * From a domain to QEMU: {@link io.fairlead.qemu.domain.command.DomainPlan} gives every device its id and its PCI address,
 * {@link io.fairlead.qemu.domain.command.DomainMachine} makes the command line.
 */
@NullMarked
package io.fairlead.qemu.domain.command;

import org.jspecify.annotations.NullMarked;
