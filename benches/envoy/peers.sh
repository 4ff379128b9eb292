#!/usr/bin/env bash
# Installs the gateways that `make bench-peers` measures beside the filter, pinned, into the cache, and prints the folder.
#
#   mcp-proxy 0.6.0    from crates.io, with its own lock file: a thin proxy in Rust, without policy here
#   mcp-airlock 0.4.1  from PyPI: a governing proxy in Python, for 2026-07-28 only
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${GATEHOLD_CACHE:-$HOME/.cache/gatehold}/bench-peers-mcp-proxy-0.6.0-mcp-airlock-0.4.1
mkdir -p "$folder"

if [ ! -x "$folder/bin/mcp-proxy" ]; then
  printf 'peers: building mcp-proxy 0.6.0; this takes some minutes\n' >&2
  # Outside the checkout, so that neither its toolchain file nor its profiles take part.
  toolchain=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' "$here/../../rust-toolchain.toml")
  (cd "$folder" && env -u CARGO_TARGET_DIR cargo "+$toolchain" install --quiet --locked --root "$folder" mcp-proxy@0.6.0) >&2
fi

if [ ! -e "$folder/airlock/.complete" ]; then
  printf 'peers: installing mcp-airlock 0.4.1\n' >&2
  python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { printf 'peers: mcp-airlock needs Python 3.11 or newer; install it, or set PYTHON to one\n' >&2; exit 1; }
  "$python" -m venv --clear "$folder/airlock"
  "$folder/airlock/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: \
    -r "$here/requirements-mcp-airlock.txt" >&2
  : >"$folder/airlock/.complete"
fi

printf '%s\n' "$folder"
