#!/usr/bin/env bash
# size.sh FILE MAX: prints the size of a built file and fails when it is over the bound.
set -euo pipefail
bytes=$(wc -c <"$1")
printf '%s: %d bytes (bound %d)\n' "$1" "$bytes" "$2"
if [ "$bytes" -gt "$2" ]; then
    echo "error: \`$1\` is larger than $2 bytes; find what grew, for example with \`cargo bloat\`" >&2
    exit 1
fi
