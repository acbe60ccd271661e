/** XML as domains need it: a bounded reader without DTD and entities, immutable elements, a canonical printer. */
@NullMarked
package io.fairlead.qemu.domain.xml;

import org.jspecify.annotations.NullMarked;
