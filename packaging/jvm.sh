# Options of the JVM, for the launchers: the checkout's and the installed one.
# shellcheck shell=sh
# shellcheck disable=SC2034 # the launchers use jvm_options

# jvm_options_for COMMAND: sets jvm_options.
jvm_options_for() {
    # Small and steady: no allocation per request, so the simplest collector and a small heap do.
    jvm_options='--enable-native-access=io.fairlead.linux -XX:+UseSerialGC -Xms16m -Xmx512m -Xss512k -XX:-UsePerfData'
    # The JVM copies 4 KiB with 512-bit registers where it has them; 256 bits measured faster (docs/adr/0004-disk-io.md).
    if grep -qm1 avx2 /proc/cpuinfo 2>/dev/null; then
        jvm_options="$jvm_options -XX:UseAVX=2"
    fi
    case $1 in
        bench | daemon | demo | node | serve) jvm_options="$jvm_options -XX:TieredStopAtLevel=4" ;;
        # Commands that end soon: what they compile no more than once they would never get back.
        *) jvm_options="$jvm_options -XX:TieredStopAtLevel=1" ;;
    esac
}
