/** Fairlead on real QEMU, guests, firmware and clients. */
@NullMarked
package io.fairlead.systemtests;

import org.jspecify.annotations.NullMarked;
