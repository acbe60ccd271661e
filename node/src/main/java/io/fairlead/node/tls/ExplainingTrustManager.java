package io.fairlead.node.tls;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/** Refuses what the JDK's own manager refuses, and says which certificate, why, and what to do. */
final class ExplainingTrustManager extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager strict;
    private final List<X509Certificate> authorities;

    ExplainingTrustManager(X509ExtendedTrustManager strict, List<X509Certificate> authorities) {
        this.strict = strict;
        this.authorities = authorities;
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        try {
            strict.checkClientTrusted(chain, authType, socket);
        } catch (CertificateException e) {
            throw explained(chain, null, e);
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        try {
            strict.checkServerTrusted(chain, authType, socket);
        } catch (CertificateException e) {
            String host = socket instanceof SSLSocket ssl && ssl.getHandshakeSession() != null
                    ? ssl.getHandshakeSession().getPeerHost()
                    : null;
            throw explained(chain, host, e);
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        strict.checkClientTrusted(chain, authType, engine);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        strict.checkServerTrusted(chain, authType, engine);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        strict.checkClientTrusted(chain, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        strict.checkServerTrusted(chain, authType);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return strict.getAcceptedIssuers();
    }

    private CertificateException explained(
            X509Certificate[] chain, @Nullable String host, CertificateException refusal) {
        X509Certificate shown = chain[0];
        String which = "the other node's certificate %s".formatted(shown.getSubjectX500Principal());
        Instant now = Instant.now();
        String why;
        if (authorities.stream().noneMatch(authority -> isIssuedBy(shown, authority))) {
            why =
                    "was issued by %s, and this node trusts only %s: take the certificates of both hosts from one authority"
                            .formatted(
                                    shown.getIssuerX500Principal(),
                                    authorities.stream()
                                            .map(authority -> authority
                                                    .getSubjectX500Principal()
                                                    .toString())
                                            .collect(Collectors.joining(", ")));
        } else if (now.isAfter(shown.getNotAfter().toInstant())) {
            why = "expired at %s: make new ones by 'fairlead certificates create'"
                    .formatted(shown.getNotAfter().toInstant());
        } else if (now.isBefore(shown.getNotBefore().toInstant())) {
            why = "is valid only from %s on: compare the clocks of both hosts"
                    .formatted(shown.getNotBefore().toInstant());
        } else if (host != null
                && refusal.getMessage() != null
                && refusal.getMessage().contains(host)) {
            why = "is for %s and not for %s: name the host as in its certificate, or make one with this name"
                    .formatted(names(shown), host);
        } else {
            why = "is refused: " + refusal.getMessage();
        }
        return new CertificateException(which + " " + why, refusal);
    }

    private static boolean isIssuedBy(X509Certificate certificate, X509Certificate authority) {
        try {
            certificate.verify(authority.getPublicKey());
            return true;
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static String names(X509Certificate certificate) {
        try {
            Collection<List<?>> names = certificate.getSubjectAlternativeNames();
            if (names != null) {
                return names.stream().map(name -> String.valueOf(name.get(1))).collect(Collectors.joining(", "));
            }
        } catch (CertificateParsingException e) {
            // Its subject says enough.
        }
        return certificate.getSubjectX500Principal().toString();
    }
}
