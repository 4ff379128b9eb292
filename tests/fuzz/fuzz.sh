#!/usr/bin/env bash
# fuzz.sh check              builds the targets with libFuzzer as they are, to see that they build
# fuzz.sh run [TARGET…]      runs each for FUZZ_SECONDS (60), without TARGETs all of them
# fuzz.sh replay FILE…       runs kept inputs through the target that their folder names
# FUZZ_JOBS=N runs N processes per target. What was learnt stays in target/fuzz/corpus for the next run.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${CARGO_TARGET_DIR:-target}/fuzz
targets=(json_rpc sse headers policy answers differential detect)
seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-1}
host=$(rustc -vV | sed -n 's/^host: //p')
bin=$root/$host/fuzz

# The instrumentation that libFuzzer reads, as far as a stable compiler has it.
sanitizer_coverage=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0
    -Ccodegen-units=1
    -Cdebug-assertions
    -Coverflow-checks
)

has_compiler() {
    compiler=${CXX:-c++}
    command -v "${compiler%% *}" >/dev/null
}

without_compiler() {
    echo "libFuzzer needs a C++ compiler, and \`$compiler\` is not there: install one (Debian and Ubuntu: g++;"
    echo "Fedora: gcc-c++; Alpine: g++; macOS: xcode-select --install) or set CXX. Without one,"
    echo "\`cargo test -p gatehold-fuzz\` still runs all targets over the kept inputs."
}

check() {
    has_compiler || { without_compiler; return; }
    cargo build --locked --quiet -p gatehold-fuzz --features libfuzzer --bins
}

build() {
    has_compiler || { echo -n "error: " >&2; without_compiler >&2; exit 1; }
    # With --target, build scripts and macros are built without the flags.
    RUSTFLAGS="${sanitizer_coverage[*]}" CARGO_TARGET_DIR=$root cargo build --locked --quiet \
        --profile fuzz --target "$host" -p gatehold-fuzz --features libfuzzer --bins
}

# The inputs of the shared corpus that a target takes as they are.
seeds() {
    case $1 in
    json_rpc | headers | differential) echo tests/corpus/requests ;;
    answers) echo tests/corpus/responses tests/corpus/sse ;;
    sse) echo tests/corpus/sse ;;
    esac
}

# Gives the finding its place, as small as half a minute makes it, and says what to do with it.
keep() {
    local target=$1 found=$2 kept=tests/fuzz/regressions/$1 small
    small=$(mktemp)
    "$bin/$target" -minimize_crash=1 -max_total_time=30 -exact_artifact_path="$small" "$found" \
        >/dev/null 2>&1 || true
    [ -s "$small" ] || cp "$found" "$small"
    mkdir -p "$kept"
    kept=$kept/$(sha1sum "$small" | cut -c 1-16)
    mv "$small" "$kept"
    chmod 644 "$kept"
    rm -f "$found"
    echo "error: \`$target\` has a finding, kept as $kept" >&2
    echo "  see it:  tests/fuzz/fuzz.sh replay $kept" >&2
    echo "  it stays an input of \`cargo test -p gatehold-fuzz\`, which fails until it is mended" >&2
}

# One target; leaves its line of the summary.
fuzz() {
    local target=$1 learnt=$root/corpus/$1 crashes=$root/crashes/$1 log=$root/$1.log folder status=0
    mkdir -p "$learnt" "$crashes"
    local folders=("$learnt")
    for folder in "tests/fuzz/corpus/$target" "tests/fuzz/regressions/$target" $(seeds "$target"); do
        [ ! -d "$folder" ] || folders+=("$folder")
    done
    # Streams are read many times over, and long ones have nothing that short ones have not.
    local longest=4096
    [ "$target" != sse ] || longest=512
    local options=(-max_total_time="$seconds" -max_len="$longest" -timeout=10 -rss_limit_mb=2048
        -print_final_stats=1 -artifact_prefix="$crashes/")
    [ "$target" = policy ] || [ "$target" = detect ] || options+=(-dict=tests/fuzz/json-rpc.dict)
    [ "$jobs" = 1 ] || options+=(-fork="$jobs")
    echo "-- $target, $seconds seconds"
    "$bin/$target" "${options[@]}" "${folders[@]}" >"$log" 2>&1 || status=$?
    # The last line of the kind `#123: cov: 4 ft: 5 corp: 6 …`.
    local last runs cov
    last=$(grep -aE '^#[0-9]+' "$log" | tail -n 1)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    runs=${runs:-$(sed -E 's/^#([0-9]+).*/\1/' <<<"$last")}
    cov=$(grep -aoE 'cov: [0-9]+' "$log" | tail -n 1)
    printf '%-14s %12s executions, %s\n' "$target" "${runs:-0}" "${cov:-no coverage}" | tee -a "$root/summary"
    [ "$status" = 0 ] && return
    local found any=
    for found in "$crashes"/*; do
        [ -f "$found" ] || continue
        any=1
        grep -aE "^thread |panicked at|^assertion| left:| right:|reads .* as " "$log" | head -n 8 >&2 || true
        keep "$target" "$found"
    done
    [ -n "$any" ] || { tail -n 20 "$log" >&2; echo "error: \`$target\` ended with $status" >&2; }
    failed=1
}

case ${1:-run} in
check) check ;;
run)
    shift || true
    chosen=("$@")
    [ $# -gt 0 ] || chosen=("${targets[@]}")
    for target in "${chosen[@]}"; do
        [[ " ${targets[*]} " == *" $target "* ]] || {
            echo "error: no target \`$target\`; there are: ${targets[*]}" >&2
            exit 2
        }
    done
    build
    : >"$root/summary"
    failed=
    for target in "${chosen[@]}"; do fuzz "$target"; done
    printf '\n'
    awk '{ print; sum += $2 } END { printf "%-14s %12d executions\n", "all", sum }' "$root/summary"
    [ -z "$failed" ]
    ;;
replay)
    shift
    build
    for file in "$@"; do
        target=$(basename "$(dirname "$file")")
        "$bin/$target" "$file"
    done
    ;;
*)
    sed -n '2,5p' "$0" >&2
    exit 2
    ;;
esac
