#!/usr/bin/env bash
# Measures libtorc beside hiredis: one redis-server on core 0, client-speed on core 1. What counts is the
# ratio of lines of one round. Called as ./dev bench client.
set -euo pipefail

seconds=2
rounds=3
build=

usage() {
    cat <<'TEXT'
Usage: bench/client.sh [OPTION...]
Compares libtorc with hiredis: blocking calls of 1, 2 and 4 threads, pipelines and callbacks.

  --seconds S          length of each measurement (2)
  --rounds N           how often all are measured (3)
  --build DIR          where Torc was built (build, beside this folder)
  --help               this text
TEXT
}

fail() {
    echo "client.sh: $1" >&2
    exit "${2:-1}"
}

while [ $# -gt 0 ]; do
    case $1 in
    --seconds | --rounds | --build)
        [ $# -gt 1 ] || fail "$1 wants a value" 2
        declare "${1#--}=$2"
        shift 2
        ;;
    --help) usage; exit 0 ;;
    *) usage >&2; fail "unknown option '$1'" 2 ;;
    esac
done
build=${build:-$(dirname "$(readlink -f "$0")")/../build}
[ -x "$build/bench/client-speed" ] || fail "$build/bench/client-speed is not there: build Torc first"
command -v redis-server >/dev/null || fail "redis-server is not installed"
[ "$(nproc)" -ge 2 ] || fail "one core for the server and one for the client are needed"

folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
taskset -c 0 redis-server --port "$port" --save '' --dir "$folder" >"$folder/log" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    redis-cli -p "$port" ping >/dev/null 2>&1 && break
    sleep 0.05
done
for ((round = 1; round <= rounds; round++)); do
    echo "round $round"
    taskset -c 1 "$build/bench/client-speed" "127.0.0.1:$port" "$seconds"
done
