package io.fairlead.testbed;

/** Told what a long preparation is doing. Called by one thread at a time, a few times a second at most. */
public interface Progress {
    /** Tells nobody. */
    Progress NONE = new Progress() {
        @Override
        public void step(String what) {}

        @Override
        public void download(String what, int donePackages, int packages, long doneBytes, long bytes, long perSecond) {}
    };

    /** A step begins. */
    void step(String what);

    /**
     * A download goes on.
     *
     * @param what the set that is being fetched
     * @param donePackages packages that are complete
     * @param packages packages in all
     * @param doneBytes bytes that are there
     * @param bytes bytes in all
     * @param perSecond bytes a second since this download's start
     */
    void download(String what, int donePackages, int packages, long doneBytes, long bytes, long perSecond);

    /** Writes each step and, about once a second, each download as one line of text to standard error. */
    static Progress toStandardError() {
        return new TextProgress(System.err);
    }
}
