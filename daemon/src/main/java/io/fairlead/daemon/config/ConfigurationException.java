package io.fairlead.daemon.config;

/** A configuration that no daemon can run with; the message has the place and what is expected. */
public final class ConfigurationException extends Exception {
    private static final long serialVersionUID = 1L;

    public ConfigurationException(String message) {
        super(message);
    }
}
