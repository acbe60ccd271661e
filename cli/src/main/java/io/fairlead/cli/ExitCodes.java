package io.fairlead.cli;

/** The exit codes of all commands, and what help texts and manual pages say of them. */
final class ExitCodes {
    static final int FAILED = 1;
    static final int USAGE = 2;
    static final int LOST = 3;
    static final int UNKNOWN = 4;
    static final int INTERNAL = 70;

    static final String HEADING = "%nExit codes:%n";
    static final String SUCCESS_TEXT = "0:success";
    static final String FAILED_TEXT = FAILED + ":the work failed or a check did not hold";
    static final String USAGE_TEXT = USAGE + ":wrong usage";
    static final String INTERNAL_TEXT = INTERNAL + ":an error in Fairlead itself";

    private ExitCodes() {}
}
