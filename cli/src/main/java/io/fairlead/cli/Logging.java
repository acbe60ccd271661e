package io.fairlead.cli;

/** Sets how much is logged, before the first logger is made. */
final class Logging {
    private static final String LEVEL = "fairlead.logLevel";

    private Logging() {}

    /** @param verbose how often the user asked for more */
    static void level(int verbose) {
        if (System.getProperty(LEVEL) == null) {
            System.setProperty(
                    LEVEL,
                    switch (verbose) {
                        case 0 -> "WARN";
                        case 1 -> "INFO";
                        default -> "DEBUG";
                    });
        }
    }
}
