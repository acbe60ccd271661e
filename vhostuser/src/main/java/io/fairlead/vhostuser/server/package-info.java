/** vhost-user as front-end: a device of ours at a socket, for QEMU and other clients. */
@NullMarked
package io.fairlead.vhostuser.server;

import org.jspecify.annotations.NullMarked;
