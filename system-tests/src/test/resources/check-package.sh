# What holds where the package is installed; each failure ends the script.
export LC_ALL=C.UTF-8

fairlead --version | grep -E '^fairlead [0-9]+\.[0-9]+\.[0-9]+'
FAIRLEAD_JAVA_OPTIONS=-XX:AOTMode=on fairlead --help | grep 'Exit codes'
getent group fairlead
dpkg --verify fairlead
test "$(dpkg -L fairlead | grep -c 'man/man[18]/fairlead.*\.gz$')" -ge 10

if command -v groff; then
    for page in /usr/share/man/man[18]/fairlead*.gz; do
        warnings=$(zcat "$page" | groff -ww -man -Tutf8 -z 2>&1)
        test -z "$warnings" || { echo "$page: $warnings"; exit 1; }
    done
fi
if command -v bash; then
    bash -eu -c '. /usr/share/bash-completion/completions/fairlead
        COMP_WORDS=(fairlead mig) COMP_CWORD=1 COMP_LINE="fairlead mig" COMP_POINT=12
        set +eu
        _complete_fairlead
        [ "${COMPREPLY[*]}" = migrate ] || { echo "completed: ${COMPREPLY[*]}"; exit 1; }'
fi
if command -v systemd-analyze; then
    systemd-analyze verify --man=no /usr/lib/systemd/system/fairlead.service
fi
