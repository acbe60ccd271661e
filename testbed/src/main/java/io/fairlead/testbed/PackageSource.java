package io.fairlead.testbed;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Where package files come from. Use under the cache's lock. */
interface PackageSource {
    /** Gets ready: knows from then on what packages there are. */
    void update() throws IOException;

    /** The names of the packages that a set asks for, with its patterns resolved to the newest match. */
    List<String> resolve(PackageSet set) throws IOException;

    /** All files that packages of a set need, also those that are here already. */
    List<Archive> plan(PackageSet set, List<String> names) throws IOException;

    /** Fetches files into {@link #archives}, goes on with half-fetched ones, and checks their sums. */
    void download(PackageSet set, List<String> names, List<Archive> archives, Progress progress) throws IOException;

    /**
     * Fetches the upstream archive of a source package and checks its sum.
     *
     * @param folder an existing one, where the file is put
     */
    void downloadSource(String release, String name, Path folder) throws IOException;

    /** The folder of complete package files. */
    Path archives();

    /** One package file. */
    record Archive(String fileName, long bytes) {}
}
