/** The messages of vhost-user, as both sides frame and read them (QEMU, docs/interop/vhost-user.rst). */
@NullMarked
package io.fairlead.vhostuser.protocol;

import org.jspecify.annotations.NullMarked;
