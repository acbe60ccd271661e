/** The socket device (virtio 1.4, 5.10): stream sockets of the guest and Unix sockets of the host. */
@NullMarked
package io.fairlead.devices.vsock;

import org.jspecify.annotations.NullMarked;
