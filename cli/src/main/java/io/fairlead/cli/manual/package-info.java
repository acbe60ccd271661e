/** Manual pages, made of what picocli knows of the commands. */
@org.jspecify.annotations.NullMarked
package io.fairlead.cli.manual;
