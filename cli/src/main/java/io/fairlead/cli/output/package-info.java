/** What commands print: tables, rates, progress. */
@NullMarked
package io.fairlead.cli.output;

import org.jspecify.annotations.NullMarked;
