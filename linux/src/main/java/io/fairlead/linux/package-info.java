/**
 * System calls of Linux by the foreign function interface, without interpretation: descriptors, files, memory mappings,
 * eventfd, epoll, Unix sockets with descriptor passing, ioctl and io_uring.
 *
 * <p>Assumed: a 64-bit little-endian Linux with glibc 2.28 or newer. All numbers and layouts are those of x86-64, held
 * against a C program by a test. Those of aarch64 are the same but for {@code struct epoll_event} (16 bytes there, 12 on
 * x86-64) and for O_DIRECT, O_DIRECTORY and O_NOFOLLOW, which are chosen at run time; nothing was run there.
 *
 * <p>Errors of the host are {@link io.fairlead.linux.LinuxException}; calls meant for the data path return a negative
 * error number instead and allocate nothing. A closed object throws {@link java.lang.IllegalStateException}.
 */
@NullMarked
package io.fairlead.linux;

import org.jspecify.annotations.NullMarked;
