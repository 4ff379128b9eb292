#!/usr/bin/env bash
# Runs programs of the end-to-end tests (by name) on what Istio makes of a WasmPlugin, but for what needs-flag.txt lists.
# CARGO_TEST is how tests are run.
set -euo pipefail

list=tests/e2e/needs-flag.txt
export GATEHOLD_BOOTSTRAP=envoy/istio/as-envoy.yaml
programs=() skips=()
for program in "$@"; do programs+=(--test "$program"); done

while read -r program test reason; do
  [[ -n $reason ]] || { echo "$list: \`$test\` has no reason; write one behind it" >&2; exit 1; }
  [[ " $* " == *" $program "* ]] || continue
  test=${test%:}
  # What was renamed would run again without anybody noticing why it fails.
  known=$($CARGO_TEST --test "$program" -- --list)
  grep -qxF "$test: test" <<<"$known" || {
    echo "$list: \`$program\` has no test \`$test\`; take it out, or give it its new name" >&2
    exit 1
  }
  skips+=(--skip "$test")
done < <(grep -v '^#' "$list")

echo "as a WasmPlugin, without $((${#skips[@]} / 2)) tests that need the flag: $list says why"
exec $CARGO_TEST --no-fail-fast "${programs[@]}" -- --exact "${skips[@]}"
