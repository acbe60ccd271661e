/** The network device (virtio 1.4, 5.1) and the switch between the network devices of a process. */
@NullMarked
package io.fairlead.devices.net;

import org.jspecify.annotations.NullMarked;
