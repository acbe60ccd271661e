/** Machines that libvirt runs, with devices of Fairlead's. */
@NullMarked
package io.fairlead.cli.libvirt;

import org.jspecify.annotations.NullMarked;
