/** System calls of Linux by the foreign function interface; the only module that makes restricted calls. */
module io.fairlead.linux {
    requires static transitive org.jspecify;

    exports io.fairlead.linux;
}
