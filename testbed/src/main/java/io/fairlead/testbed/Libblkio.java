package io.fairlead.testbed;

import java.nio.file.Path;

/**
 * The block I/O library that drives vhost-user and vhost-vdpa disks from a host process.
 *
 * @param library the shared object
 * @param headers the folder with blkio.h
 */
public record Libblkio(Path library, Path headers) {}
