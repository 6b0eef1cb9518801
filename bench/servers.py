"""Servers under measurement: torc-node, redis-server, memcached. Each is started on ports and in a folder
of its own, pinned to a core, asked for what it says of itself, and stopped."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import torc_cluster  # noqa: E402 (found by the line above)

SERVER_CORE, LOAD_CORE = 0, 1
ALL_CORES = "0,1"
BENCH = torc_cluster.BENCH


class Failed(Exception):
    """A measurement that could not be made; the text says why."""


def pinned(cores, words):
    return ["taskset", "-c", str(cores), *map(str, words)]


def cpu_ns(process):
    """Processor time of all its threads so far, user and system."""
    total = 0
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


class Server:
    """One process. `with` stops it and removes its folder."""

    speaks_resp = True

    def __init__(self, words, port, folder, cores=SERVER_CORE):
        self.port = port
        self.folder = folder
        self.log = folder / "log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(pinned(cores, words), cwd=folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        try:
            torc_cluster.wait_until(self.answers, 20, "the server answers")
        except AssertionError:
            words = self.log.read_text(errors="replace")[-500:]
            self.stop()
            raise Failed(f"a server did not start; its last words: {words}") from None

    def answers(self):
        if self.process.poll() is not None:
            raise Failed(f"it has ended: {self.log.read_text(errors='replace')[-500:]}")
        return self.command("GET", "x") is None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words):
        with torc_cluster.Raw(self.port, 30) as raw:
            return raw.command(*words)

    def info(self):
        return torc_cluster.parse_info(self.command("INFO"))

    def used_bytes(self):
        """What counts towards maxmemory. torc-node counts what the process takes besides its data, and
        says so apart; redis-server has both in one figure."""
        info = self.info()
        apart = int(info["used_memory_overhead"]) if "torc_version" in info else 0
        return int(info["used_memory"]) + apart

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(next(line.split()[1] for line in status.splitlines()
                               if line.startswith("VmRSS:")))

    def cpu_ns(self):
        return cpu_ns(self.process)


def start_torc(*arguments, threads=1, cores=SERVER_CORE):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torc-bench."))
    port = torc_cluster.free_port_base(1)
    return Server([torc_cluster.NODE, "--port", port, "--state-dir", folder / "state", "--threads",
                   threads, *arguments], port, folder, cores)


def start_redis(*arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torc-bench."))
    port = torc_cluster.free_port_base(1)
    return Server(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
                   "no", "--dir", folder, *arguments], port, folder)


class Memcached(Server):
    speaks_resp = False

    def answers(self):
        with torc_cluster.Raw(self.port, 5) as raw:
            raw.send(b"version\r\n")
            return True


def start_memcached(*arguments):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torc-bench."))
    port = torc_cluster.free_port_base(1)
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return Memcached(["memcached", "-p", port, "-l", "127.0.0.1", "-t", 1, *user, *arguments], port,
                     folder)


def run_bench(server, *arguments, beside=()):
    """Runs torc-bench at the server, and at those beside it in turn; its report."""
    with tempfile.NamedTemporaryFile() as report:
        addresses = ",".join(f"127.0.0.1:{each.port}" for each in (server, *beside))
        words = [BENCH, "-s", addresses, "--quiet", "--json", report.name, *arguments]
        done = subprocess.run(pinned(LOAD_CORE, words), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"torc-bench: {done.stdout.strip()[-500:]}")
        return json.load(open(report.name))


def machine():
    """What a table of figures is worth nothing without."""
    versions = [subprocess.run([name, "--version"], capture_output=True, text=True,
                               check=False).stdout.split(" sha")[0].strip()
                for name in ("redis-server", "memcached") if shutil.which(name)]
    system = os.uname()
    return f"{'; '.join(versions)}; {system.sysname} {system.release} {system.machine}, {os.cpu_count()} cores"
