"""torc-bench against real nodes: load in both modes, and a replay of a real trace."""

import json
import lzma
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from torc_cluster import BENCH, PATIENCE, ROOT

TRACE = ROOT / "bench" / "traces" / "web12.keys.xz"


def run_bench(cluster, tmp_path, *arguments, limit=60):
    result = tmp_path / "bench.json"
    done = subprocess.run(
        [BENCH, "-s", f"127.0.0.1:{cluster[0].port}", "--json", result, *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=limit * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return json.loads(result.read_text()), done.stdout


@pytest.mark.parametrize("mode", ["any", "direct"])
def test_load_without_errors(cluster, tmp_path, mode):
    report, text = run_bench(cluster, tmp_path, "--mode", mode, "--clients", 8, "--pipeline", 8,
                             "--keys", 1000, "--size", 64, "--seconds", 1)
    assert report["operations"] > 1000, text
    assert report["failed"] == 0 and report["errors"] == {}, text
    assert report["hit_ratio"] == 1, text
    assert cluster[0].client().dbsize() == 1000


def test_replay_of_a_trace_with_room_for_everything_misses_each_key_once(cluster, tmp_path):
    with lzma.open(TRACE, "rt") as trace:
        keys = trace.read().split()
    distinct = len(set(keys))
    ideal = 1 - distinct / len(keys)
    report, text = run_bench(cluster, tmp_path, "--trace", TRACE, "--clients", 1, "--threads", 1,
                             "--pipeline", 1)
    assert report["hit_ratio"] == pytest.approx(ideal, abs=0.005), text
    assert cluster[1].client().dbsize() == distinct


def test_the_default_eviction_misses_less_than_redis(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "traces.py", "--sizes", "30", "--policies",
         "s3fifo", "--json", tmp_path / "traces.json"],
        capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "traces.json").read_text())[0]["objects"] == 4126
    assert "\n0 of 3 targets are fallen short of" in done.stdout, done.stdout


def test_replay_of_a_trace_under_a_memory_limit_still_hits(new_cluster, tmp_path):
    cluster = new_cluster(1, ["--memory", "26mb", "--eviction", "lru"])
    report, text = run_bench(cluster, tmp_path, "--trace", TRACE, "--size", 4000, "--clients", 1,
                             "--threads", 1, "--pipeline", 1)
    # An empty node takes half of that. About 3 000 of 13 756 objects fit: LRU hits some 75 % there, random
    # noise could not.
    assert 0.60 < report["hit_ratio"] < 0.85, text


def test_each_row_of_the_comparison_has_its_target_and_verdict(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "compare.py", "--quick", "--only", "cpu", "memory", "growth",
         "--json", tmp_path / "all.json", "--chart", tmp_path / "all.svg"],
        capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout
    rows = {row["row"]: row for row in json.loads((tmp_path / "all.json").read_text())["rows"]}
    assert list(rows) == ["cpu-64", "cpu-16", "cpu-1", "memory", "memory-ttl", "memory-16", "growth"]
    summary = done.stdout[done.stdout.index("\n---"):]
    drawn = "".join(xml.etree.ElementTree.parse(tmp_path / "all.svg").getroot().itertext())
    for row in rows.values():
        assert row["verdict"] == ("pass" if row["value"] <= row["target_at_most"] else "falls short")
        line = next(line for line in summary.splitlines() if line.startswith(row["what"] + "  "))
        target = re.search(r"<= ([0-9.]+)  ", line).group(1)
        assert float(target) == row["target_at_most"] and line.endswith(row["verdict"])
        assert row["what"] in drawn
    assert rows["cpu-1"]["figures"]["torc"]["cpu_ns"] > 0 < rows["cpu-1"]["figures"]["redis"]["ops"]
    assert rows["memory"]["figures"]["redis"] > rows["memory"]["figures"]["torc"] > 0
