/**
 * What every software device shares: the life cycle of a {@link io.fairlead.vdpa.VdpaDevice}, queues on event loops, and
 * threads for system calls that block. A device type adds a {@link io.fairlead.devices.base.QueueHandler} for each role
 * of a queue.
 */
@NullMarked
package io.fairlead.devices.base;

import org.jspecify.annotations.NullMarked;
