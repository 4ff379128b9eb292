#!/usr/bin/env bash
# summary.sh run COMMAND…  runs a test command, shows it, and adds up what its runners counted.
# summary.sh               prints the sum of all since the last time, as the last line of `make test`.
set -euo pipefail
tally="${CARGO_TARGET_DIR:-target}/test-summary"
if [ "${1:-}" = run ]; then
    shift
    mkdir -p "$(dirname "$tally")"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    "$@" 2>&1 | tee "$log"
    grep -E '^test result: ' "$log" | sed -E 's/.* ([0-9]+) passed; ([0-9]+) failed.*/\1 \2/' >>"$tally" || {
        echo "error: \`$*\` ran no test" >&2
        exit 1
    }
    exit 0
fi
awk '{ passed += $1; failed += $2 } END { printf "\n%d passed, %d failed\n", passed, failed; exit !(passed > 0 && failed == 0) }' "$tally"
rm -f "$tally"
