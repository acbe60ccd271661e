package io.fairlead.linux;

/**
 * Who made the other end of a Unix socket, as the kernel noted it when the connection was made.
 *
 * @param pid process; 0 where it is not visible from here
 * @param uid user
 * @param gid group
 */
public record PeerCredentials(int pid, int uid, int gid) {}
