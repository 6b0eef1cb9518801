#!/usr/bin/env bash
# Compares torc-node with redis-server, side by side in one run: CPU time of the server per operation
# and resident bytes per key. What counts is the ratio; absolute figures belong to the machine.
# Servers are pinned to core 0 and generators to core 1. Called as ./dev bench compare.
set -euo pipefail

keys=1000000
seconds=5
rounds=3
clients=32
size=64
pipelines="1 16 64"
servers="redis torc"
generators="torc-bench redis-benchmark"
build=

usage() {
    cat <<'TEXT'
Usage: bench/compare.sh [OPTION...]
Compares the CPU per operation and the memory per key of redis-server and torc-node.

  --keys N             keys in the key space (1000000)
  --seconds S          length of each measurement, whole seconds (5)
  --rounds N           measurements of each kind; the table shows the median (3)
  --clients N          connections (32)
  --size B             bytes of a value (64)
  --pipelines LIST     pipeline depths, split by commas (1,16,64)
  --servers LIST       of redis, torc (redis,torc)
  --generators LIST    of torc-bench, redis-benchmark (both)
  --build DIR          where Torc was built (build, beside this folder)
  --help               this text
TEXT
}

fail() {
    echo "compare.sh: $1" >&2
    exit "${2:-1}"
}

whole() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || fail "$1: '$2' is not a whole number from 1" 2
}

one_of() { # option, accepted words, given words
    local word
    for word in $3; do
        [[ " $2 " == *" $word "* ]] || fail "$1: '$word' is none of: $2" 2
    done
}

while [ $# -gt 0 ]; do
    option=$1
    case $option in
    --help)
        usage
        exit 0
        ;;
    --keys | --seconds | --rounds | --clients | --size | --pipelines | --servers | --generators | --build)
        [ $# -ge 2 ] || fail "$option: needs a value" 2
        value=$2
        shift 2
        ;;
    *) fail "$option: no such option; --help lists them" 2 ;;
    esac
    case $option in
    --keys) whole "$option" "$value" && keys=$value ;;
    --seconds) whole "$option" "$value" && seconds=$value ;;
    --rounds) whole "$option" "$value" && rounds=$value ;;
    --clients) whole "$option" "$value" && clients=$value ;;
    --size) whole "$option" "$value" && size=$value ;;
    --pipelines)
        pipelines=${value//,/ }
        for depth in $pipelines; do whole "$option" "$depth"; done
        ;;
    --servers)
        servers=${value//,/ }
        one_of "$option" "redis torc" "$servers"
        ;;
    --generators)
        generators=${value//,/ }
        one_of "$option" "torc-bench redis-benchmark" "$generators"
        ;;
    --build) build=$value ;;
    esac
done

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${build:-$here/../build}
bench=$build/bench/torc-bench
node=$build/node/torc-node

need() {
    command -v "$1" >/dev/null || fail "$1 is not there; it is in the package $2"
}
need redis-cli redis-tools
need taskset util-linux
[ -x "$bench" ] || fail "$bench is not there: build first (./dev build), or name the build with --build"
[[ " $servers " != *" redis "* ]] || need redis-server redis-server
[[ " $servers " != *" torc "* ]] || [ -x "$node" ] ||
    fail "$node is not there: build first (./dev build), or name the build with --build"
[[ " $generators " != *" redis-benchmark "* ]] || need redis-benchmark redis-tools
[ "$(nproc)" -ge 2 ] || fail "two cores are needed: one for the server, one for the load"

work=$(mktemp -d "${TMPDIR:-/tmp}/torc-compare.XXXXXX")
declare -A pid=() port=() empty_kb=() bytes_per_key=()

cleanup() {
    local server
    for server in "${!pid[@]}"; do
        kill "${pid[$server]}" 2>/dev/null || true
        wait "${pid[$server]}" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A node takes its port and those 1000, 2000 and 10000 above it.
free_port() {
    local candidate try
    for try in $(seq 100); do
        candidate=$((20000 + (RANDOM + try) % 12000))
        if port_is_free $candidate && port_is_free $((candidate + 1000)) &&
            port_is_free $((candidate + 2000)) && port_is_free $((candidate + 10000)); then
            echo $candidate
            return
        fi
    done
    fail "no free port found"
}

start_server() {
    local server=$1 try
    port[$server]=$(free_port)
    mkdir -p "$work/$server"
    case $server in
    redis)
        taskset -c 0 redis-server --port "${port[redis]}" --bind 127.0.0.1 --save '' \
            --appendonly no --dir "$work/redis" >"$work/redis.log" 2>&1 &
        ;;
    torc)
        taskset -c 0 "$node" --port "${port[torc]}" --bind 127.0.0.1 --threads 1 \
            --state-dir "$work/torc" >"$work/torc.log" 2>&1 &
        ;;
    esac
    pid[$server]=$!
    for try in $(seq 100); do
        if [ "$(redis-cli -p "${port[$server]}" ping 2>/dev/null)" = PONG ]; then
            return
        fi
        kill -0 "${pid[$server]}" 2>/dev/null || break
        sleep 0.1
    done
    tail -5 "$work/$server.log" >&2
    fail "$server did not start on port ${port[$server]} (tried $try times); its last words are above"
}

# CPU time of the whole process so far, in nanoseconds, user and system together.
cpu_ns() {
    if [ -r "/proc/$1/schedstat" ]; then
        cat "/proc/$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
    else
        awk -v hz="$(getconf CLK_TCK)" \
            '{ sub(/.*\) /, ""); printf "%.0f\n", ($12 + $13) * 1e9 / hz }' "/proc/$1/stat"
    fi
}

resident_kb() {
    awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

load() { # server, prefix
    taskset -c 1 "$bench" -s "127.0.0.1:${port[$1]}" --clients "$clients" --keys "$keys" \
        --size "$size" --key-prefix "$2" --load --seconds 0 --quiet >"$work/load.txt" 2>&1 ||
        { cat "$work/load.txt" >&2 && fail "loading $1 failed"; }
}

# Each prints: operations, operations per second.
run_torc_bench() { # server, pipeline
    taskset -c 1 "$bench" -s "127.0.0.1:${port[$1]}" --clients "$clients" --pipeline "$2" \
        --keys "$keys" --size "$size" --ratio 1:9 --seconds "$seconds" --no-load --quiet \
        --json "$work/run.json" >"$work/run.txt" 2>&1 ||
        { cat "$work/run.txt" >&2 && return 1; }
    awk -F '[:,]' '/"operations":/ && !count { count = $2 }
                   /"operations_per_second":/ { rate = $2 }
                   END { printf "%.0f %.0f\n", count, rate }' "$work/run.json"
}

run_redis_benchmark() { # server, pipeline
    local count=$((seconds * 40000 * ($2 >= 16 ? 10 : 1)))
    taskset -c 1 redis-benchmark -p "${port[$1]}" -c "$clients" -n "$count" -P "$2" -r "$keys" \
        -t get --csv >"$work/run.csv" 2>"$work/run.txt" ||
        { cat "$work/run.txt" >&2 && return 1; }
    awk -F '"' -v count="$count" '/"GET"/ { printf "%.0f %.0f\n", count, $4 }' "$work/run.csv"
}

# Appends to results: generator pipeline server, then per operation the server's ns and the
# generator's ns, then operations per second.
measure() { # generator, pipeline, server
    local before after count rate own
    before=$(cpu_ns "${pid[$3]}")
    TIMEFORMAT='%3U %3S'
    { time "run_${1//-/_}" "$3" "$2" >"$work/counts"; } 2>"$work/own" ||
        { cat "$work/own" >&2 && fail "$1 against $3 failed; its last words are above"; }
    after=$(cpu_ns "${pid[$3]}")
    read -r count rate <"$work/counts"
    own=$(tail -1 "$work/own" | tr ' ' '+')
    awk -v head="$1 $2 $3" -v cpu=$((after - before)) -v count="$count" -v own="$own" \
        -v rate="$rate" 'BEGIN { split(own, part, "+")
            printf "%s %.1f %.1f %d\n", head, cpu / count, (part[1] + part[2]) * 1e9 / count, rate }' \
        >>"$work/results"
}

# Median of column $4 of the results of one kind.
median() { # generator, pipeline, server, column
    awk -v g="$1" -v p="$2" -v s="$3" -v c="$4" \
        '$1 == g && $2 == p && $3 == s { print $c }' "$work/results" | sort -n |
        awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

table() { # title, column
    local generator depth server value base
    echo
    printf '| %s |' "$1"
    for depth in $pipelines; do printf ' pipeline %s |' "$depth"; done
    printf '\n|---|'
    for depth in $pipelines; do printf -- '---|'; done
    echo
    for generator in $generators; do
        for server in $servers; do
            printf '| %s, load by %s |' "$server" "$generator"
            for depth in $pipelines; do
                value=$(median "$generator" "$depth" "$server" "$2")
                base=$(median "$generator" "$depth" "${servers%% *}" "$2")
                awk -v value="$value" -v base="$base" \
                    'BEGIN { printf " %.0f (%.2f) |", value, value / base }'
            done
            echo
        done
    done
}

for server in $servers; do
    start_server "$server"
done
sleep 1
for server in $servers; do
    empty_kb[$server]=$(resident_kb "${pid[$server]}")
    load "$server" key:
    bytes_per_key[$server]=$((($(resident_kb "${pid[$server]}") - empty_kb[$server]) * 1024 / keys))
done

: >"$work/results"
for generator in $generators; do
    if [ "$generator" = redis-benchmark ]; then
        # Its keys are "key:" and twelve digits, whatever the key space.
        last=$((keys - 1))
        zeros=$(printf '%*s' $((12 - ${#last})) '' | tr ' ' 0)
        for server in $servers; do
            redis-cli -p "${port[$server]}" flushall >/dev/null
            load "$server" "key:$zeros"
        done
    fi
    for depth in $pipelines; do
        for _ in $(seq "$rounds"); do
            for server in $servers; do
                echo "measuring $server, pipeline $depth, by $generator" >&2
                measure "$generator" "$depth" "$server"
            done
        done
    done
done

echo "$clients connections, $keys keys, values of $size bytes, $rounds rounds of $seconds s, median;"
echo "torc-bench: SET:GET 1:9, uniform; redis-benchmark: GET, uniform. In parentheses the ratio to"
echo "${servers%% *}. $(redis-cli --version), $(uname -srm), $(nproc) cores."
table "server CPU, ns per operation" 4
table "operations per second (bounded by the generator's core)" 6
table "generator CPU, ns per operation" 5
echo
echo "| resident bytes per key |"
echo "|---|"
for server in $servers; do
    echo "| $server: ${bytes_per_key[$server]} |"
done
