#!/usr/bin/python3
"""torc-node beside redis-server and memcached, each figure with its target: ./dev bench compare.

Servers are pinned to core 0 and the load to core 1, and take turns in each round; shown are medians. What an
operation costs is the server's processor time over the operations, as a ratio to redis-server in the same
run. compare_rows.py has what is measured, one function for each group of rows.
"""

import argparse
import contextlib
import json
import os
import pathlib
import sys
import textwrap

import chart
import compare_rows
import servers

WIDTH = 80


def seconds(word):
    number = float(word)
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"'{word}' is not a number of seconds up to 3600")
    return number


def count(word):
    number = int(word)
    if not 0 < number <= 10**9:
        raise argparse.ArgumentTypeError(f"'{word}' is not a whole number from 1")
    return number


def parse():
    parser = argparse.ArgumentParser(
        prog="compare.py", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures torc-node beside redis-server (and memcached, where it is installed):\n"
                    "CPU per operation, latency, memory per key, and delays; each with its target.",
        epilog="rows:\n" + "\n".join(f"  {name:<14} {what}"
                                     for name, (_, what) in compare_rows.GROUPS.items()))
    parser.add_argument("--only", nargs="+", choices=compare_rows.GROUPS, metavar="ROW",
                        default=list(compare_rows.GROUPS), help="of the rows below (all)")
    parser.add_argument("--keys", type=count, help="keys in the key space (1000000)")
    parser.add_argument("--size", type=count, default=64, help="bytes of a value (64)")
    parser.add_argument("--clients", type=count, default=32, help="connections (32)")
    parser.add_argument("--seconds", type=seconds, help="length of each measurement (2)")
    parser.add_argument("--rounds", type=count, help="of which the median is shown (3)")
    parser.add_argument("--quick", action="store_true",
                        help="small and short: to see that all works, not to compare")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--chart", metavar="FILE", help="draw them in FILE, an SVG")
    options = parser.parse_args()
    options.keys = options.keys or (5000 if options.quick else 1_000_000)
    options.seconds = options.seconds or (0.05 if options.quick else 2)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.grow_keys = 10 * options.keys
    return options


def print_table(table):
    """A table of servers in columns of one width each; the first one has names."""
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    for row in table:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width)
                                             for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells))


def print_group(name, rows):
    print(f"\n{name}: {compare_rows.GROUPS[name][1]}")
    for row in rows:
        if row.table:
            print_table(row.table)
        print(verdict_line("  " + row.what, row), flush=True)


def verdict_line(head, row):
    figure = f"{row.value:{row.form}}{row.unit}"
    target = f"<= {row.target:{row.form}}" if row.target is not None else ""
    if row.at_least is not None:
        target = f">= {row.at_least:{row.form}}"
    return f"{head:<46} {figure:>9}  {target:<9} {row.verdict()}".rstrip()


def print_all(rows):
    print("\n" + "-" * WIDTH + f"\n{'':<46} {'figure':>9}  target")
    for row in rows:
        print(verdict_line(row.what, row))
    for verdict in ("pass", "falls short", "reported"):
        print(f"{sum(row.verdict() == verdict for row in rows)} {verdict}", end="; ")
    print(f"{len(rows)} rows")


def main():
    options = parse()
    if os.cpu_count() < 2:
        raise servers.Failed("two cores are needed: one for the server, one for the load")
    os.sched_setaffinity(0, {servers.LOAD_CORE})
    print(textwrap.fill(
        f"{servers.machine()}; {options.clients} connections, {options.keys} keys, values of "
        f"{options.size} bytes, SET:GET 1:9; medians of {options.rounds} rounds of "
        f"{options.seconds:g} s", WIDTH))
    rows = []
    with contextlib.ExitStack() as stack:
        ground = compare_rows.Ground(options, stack)
        for name in options.only:
            group = compare_rows.GROUPS[name][0](ground)
            print_group(name, group)
            rows += group
    print_all(rows)
    if options.json:
        report = {"machine": servers.machine(), "options": vars(options),
                  "rows": [row.as_json() for row in rows]}
        pathlib.Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    if options.chart:
        pathlib.Path(options.chart).write_text(chart.draw(servers.machine(), rows))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (servers.Failed, OSError) as error:
        sys.exit(f"compare.py: {error}")
