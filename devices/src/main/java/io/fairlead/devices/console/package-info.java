/** The console (virtio 1.4, 5.3): one port, to a file or to whoever connects to a socket. */
@NullMarked
package io.fairlead.devices.console;

import org.jspecify.annotations.NullMarked;
