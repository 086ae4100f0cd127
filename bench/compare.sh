#!/usr/bin/env bash
# Windtunnel's benchmarks and their counterparts in turns, so that both sides of a ratio meet the same machine.
# What is not installed is skipped with a line that says what to install; nothing is downloaded.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(dirname "$HERE")"
readonly HERE ROOT
readonly ALL_NAMES=(matmul moe transport events)

usage() {
  cat <<'TEXT'
Usage: bench/compare.sh [options] [name...]

Windtunnel's speed beside that of counterparts, measured in turns

  name             of matmul (OpenBLAS), moe and transport (PyTorch over gloo),
                   events (SimGrid); without one, all of them
  --turns <count>  how often each side runs (default: 3)
  -h, --help       this text

PYTHON names the Python that has PyTorch (default: python3, then
/usr/bin/python3); CC and CXX name the compilers (default: gcc and g++).
TEXT
}

refuse() {
  echo "compare.sh: $1; --help lists the options" >&2
  exit 2
}

turns=3
names=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    -h | --help)
      usage
      exit 0
      ;;
    --turns)
      [[ "${2:-}" =~ ^[1-9][0-9]{0,2}$ ]] || refuse "--turns needs a whole number from 1 to 999, not \"${2:-}\""
      turns="$2"
      shift 2
      ;;
    matmul | moe | transport | events)
      names+=("$1")
      shift
      ;;
    *) refuse "\"$1\" is none of ${ALL_NAMES[*]}" ;;
  esac
done
[[ ${#names[@]} -gt 0 ]] || names=("${ALL_NAMES[@]}")

fail() {
  echo "compare.sh: $1" >&2
  exit 1
}

command -v node >/dev/null || fail "node is missing; Windtunnel needs Node 20 or later"
[[ -x "$ROOT/node_modules/.bin/turbo" ]] || fail "packages are missing; run: npm ci"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
readonly work

skip() { echo "$1: skipped; to install on Debian: apt-get install $2"; }

has_header() { # compiler, language, header
  command -v "$1" >/dev/null && echo "#include <$3>" | "$1" -E -x "$2" - >/dev/null 2>&1
}

# The first Python that has PyTorch.
find_python() {
  local python
  for python in "${PYTHON:-python3}" /usr/bin/python3; do
    if command -v "$python" >/dev/null && "$python" -c "import torch" >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
}

python=""
readonly cc="${CC:-gcc}" cxx="${CXX:-g++}"
# Benchmarks that have a counterpart here.
ready=()
for name in "${names[@]}"; do
  case "$name" in
    matmul)
      if has_header "$cc" c cblas.h && "$cc" -O2 -o "$work/sgemm" "$HERE/openblas/sgemm.c" -lopenblas; then
        ready+=("$name")
      else
        skip "$name beside OpenBLAS" "gcc libopenblas-dev"
      fi
      ;;
    moe | transport)
      [[ -n "$python" ]] || python="$(find_python)"
      if [[ -n "$python" ]]; then
        ready+=("$name")
      else
        skip "$name beside PyTorch over gloo" "python3-torch libopenblas0"
      fi
      ;;
    events)
      if has_header "$cxx" c++ simgrid/s4u.hpp &&
        "$cxx" -O2 -std=c++17 -o "$work/all-to-all" "$HERE/simgrid/all-to-all.cpp" -lsimgrid; then
        ready+=("$name")
      else
        skip "$name beside SimGrid" "g++ libsimgrid-dev"
      fi
      ;;
  esac
done
[[ ${#ready[@]} -gt 0 ]] || exit 0
(cd "$ROOT" && node_modules/.bin/turbo run kernels --output-logs=errors-only) >"$work/kernels" 2>&1 || {
  cat "$work/kernels" >&2
  exit 1
}

windtunnel() {
  local command=(node "$ROOT/packages/cli/bin/windtunnel.js" bench "$1" --json)
  [[ "$1" != moe ]] || command+=(--placement processes:2)
  "${command[@]}"
}

counterpart() {
  case "$1" in
    matmul) OPENBLAS_NUM_THREADS=1 "$work/sgemm" ;;
    moe | transport) "$python" "$HERE/gloo/moe.py" "$1" --processes 2 --json ;;
    # Exchanges don't overlap, so one has the rate of ten.
    events) "$work/all-to-all" --exchanges 1 --json ;;
  esac
}

for ((turn = 1; turn <= turns; turn++)); do
  for name in "${ready[@]}"; do
    for side in windtunnel counterpart; do
      echo "turn $turn of $turns: $name, $side" >&2
      "$side" "$name" >"$work/$turn.$name.$side" || fail "$name failed on the side of the $side"
    done
  done
done

node "$HERE/compare-table.js" "$work" "$turns" "${ready[@]}"
