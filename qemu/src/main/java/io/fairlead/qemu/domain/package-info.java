/**
 * Machines as libvirt's domain XML describes them. {@link io.fairlead.qemu.domain.Domain} and its parts are immutable
 * values; {@code format} reads and prints the document, {@code command} makes QEMU's command line of it, {@code lower} makes
 * a document of it that stock libvirt takes.
 */
@NullMarked
package io.fairlead.qemu.domain;

import org.jspecify.annotations.NullMarked;
