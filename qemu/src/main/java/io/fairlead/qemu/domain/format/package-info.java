/** The document: {@link io.fairlead.qemu.domain.format.DomainXml} reads and prints it; a class for each part of it. */
@NullMarked
package io.fairlead.qemu.domain.format;

import org.jspecify.annotations.NullMarked;
