/** vhost-user as back-end: any other daemon behind a vhost-user socket is a device of ours. */
@NullMarked
package io.fairlead.vhostuser.client;

import org.jspecify.annotations.NullMarked;
