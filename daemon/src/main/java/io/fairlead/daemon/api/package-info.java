/** What can be asked of a daemon: routes from requests to its objects. */
@NullMarked
package io.fairlead.daemon.api;

import org.jspecify.annotations.NullMarked;
