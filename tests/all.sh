#!/bin/sh
# The whole test: sets itself up, then format, lints, tests on every device at hand, examples, documentation.
#
#   sh tests/all.sh
#   SUPERSTEP_RELEASE=1 sh tests/all.sh     # and a release build, as the README's users make it
#
# Where it may (root on a Debian system), it installs Mesa's software Vulkan adapter, so that GPU code is tested on a
# machine without a GPU, and Open MPI, so that jobs of several processes are. It ends within 30 minutes on two cores.
set -eu
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
}

step "a Vulkan adapter"
if ! ls /usr/share/vulkan/icd.d/*.json /etc/vulkan/icd.d/*.json >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q && apt-get install -y -q --no-install-recommends mesa-vulkan-drivers libvulkan1
    else
        echo "no Vulkan driver is installed, and this script may not install one: get mesa-vulkan-drivers" >&2
        exit 1
    fi
fi
ls /usr/share/vulkan/icd.d /etc/vulkan/icd.d 2>/dev/null || true

step "MPI"
if ! command -v mpirun >/dev/null || ! command -v mpicc >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -q && apt-get install -y -q --no-install-recommends libopenmpi-dev openmpi-bin libclang-dev
    else
        echo "no MPI is installed, and this script may not install one: get libopenmpi-dev openmpi-bin libclang-dev" >&2
        exit 1
    fi
fi
mpirun --version | head -n 1

# Mesa's Vulkan layer complains once an adapter list where this is not set.
XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$(mktemp -d)}"
export XDG_RUNTIME_DIR

# Each thing is built once here: what incremental builds write would only take time.
CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
export CARGO_INCREMENTAL

step "format"
cargo fmt --check

step "lints"
cargo clippy --all-targets --features mpi -- -D warnings
# Checked, not run: a second build of everything would take the script over its time.
cargo clippy --no-default-features --lib --test data --test metrics -- -D warnings

step "the small core: no command line, no wgpu"
if cargo tree --no-default-features -e normal --prefix none | grep -E '^(clap|wgpu|naga|indicatif|mpi) '; then
    echo "default-features = false must not build these" >&2
    exit 1
fi

step "tests, on every adapter and with several MPI ranks"
SUPERSTEP_REQUIRE_GPU=1 cargo test --features mpi

step "what the README runs"
# With what the tests built: a release build of everything takes minutes more. SUPERSTEP_RELEASE=1 makes it.
cargo run ${SUPERSTEP_RELEASE:+--release} --features mpi --quiet -- kmeans examples/data/digits.csv --k 10

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

step "all of it passed"
