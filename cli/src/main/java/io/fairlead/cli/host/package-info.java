/** What commands and the demo need of one host: its devices and how to speak to its node. */
@NullMarked
package io.fairlead.cli.host;

import org.jspecify.annotations.NullMarked;
