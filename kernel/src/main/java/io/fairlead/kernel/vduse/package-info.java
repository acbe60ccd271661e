/** VDUSE as front-end: software devices become vDPA devices of this host's kernel. */
@NullMarked
package io.fairlead.kernel.vduse;

import org.jspecify.annotations.NullMarked;
