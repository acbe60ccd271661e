package io.fairlead.daemon.http;

/**
 * Who asks. Whoever reaches a handler may do everything: the socket's mode or the certificate has let them in.
 *
 * @param name for logs: {@code user root} by the Unix socket, the certificate's subject by TLS
 * @param isLocal whether the request came by the Unix socket
 */
public record Caller(String name, boolean isLocal) {}
