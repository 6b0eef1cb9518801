"""The state file: what a node remembers of itself and of its votes. What cannot be read or written is said,
by name, and never replaced by something else. A file it cannot write into is in test_command_line.py."""

import ctypes
import os
import pathlib
import shutil
import subprocess

import pytest

from history import History, endpoints
from recovery import epoch, fast_arguments, wait_recovered
from torc_cluster import Cluster, free_port_base, run_node, wait_until

DISK_BYTES = 256 * 1024


@pytest.fixture(scope="module")
def remembered(tmp_path_factory):
    """The state directory of a node that has founded a cluster and ended well."""
    folder = tmp_path_factory.mktemp("remembered") / "state"
    with Cluster(1) as cluster:
        assert cluster[0].terminate() == 0
        shutil.copytree(cluster[0].state_dir, folder)
    return folder


@pytest.fixture
def state(remembered, tmp_path):
    folder = tmp_path / "state"
    shutil.copytree(remembered, folder)
    return folder


def state_file(folder):
    """The one that counts. Of a node that was killed while it wrote there may be another beside it."""
    return pathlib.Path(folder) / "node.state"


def refuses(folder, path):
    """The node ends with a short error that names `path`. Returns the error."""
    code, text = run_node("--port", free_port_base(1), "--state-dir", folder)
    assert code > 0, f"exit code {code}: {text}"
    assert str(path) in text, text
    assert len(text.splitlines()) <= 5, text
    return text


DAMAGE = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "half": lambda data: data[: len(data) // 2],
    "all but the last byte": lambda data: data[:-1],
    "a flipped bit at the start": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "a flipped bit in the middle": lambda data: flipped(data, len(data) // 2),
    "a flipped bit at the end": lambda data: flipped(data, len(data) - 1),
    "another version": lambda data: sealed(data[:4] + b"\xff\x7f" + data[6:-8], data),
    "not a state file, though whole": lambda data: sealed(b"ABCD" + data[4:-8], data),
    "more than there should be": lambda data: data + b"\0",
    "zeros, as after a crash of the machine": lambda data: bytes(len(data)),
    "text": lambda data: b"this is not a state file\n" * 10,
    "very long": lambda data: data * (5 * 1024 * 1024 // len(data)),
}


def sealed(body, like):
    """The body with its checksum behind it, in the byte order of a file that is well."""
    def checksum(data):
        hashed = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
        hashed.restype = ctypes.c_uint64
        return hashed(data, ctypes.c_size_t(len(data)))

    (order,) = [order for order in ("little", "big")
                if checksum(like[:-8]).to_bytes(8, order) == like[-8:]]
    return body + checksum(body).to_bytes(8, order)


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_state_file_is_named_and_kept(state, name):
    """A node whose memory of itself is damaged ends with an error that names the file, and leaves it as it
    is: a new identity in its place would take back promises that others rely on."""
    path = state_file(state)
    damaged = DAMAGE[name](path.read_bytes())
    path.write_bytes(damaged)
    refuses(state, path)
    assert path.read_bytes() == damaged, "the file has been written"


def test_a_state_file_that_is_a_folder_is_named(state):
    """What cannot be read at all is no reason for a new identity either."""
    path = state_file(state)
    path.unlink()
    path.mkdir()
    refuses(state, path)


def test_a_leftover_of_an_interrupted_write_does_no_harm(new_cluster):
    """A crash in the middle of a write leaves the old state in force: the node is who it was."""
    cluster = new_cluster(1)
    name = cluster[0].ask("CLUSTER", "MYID")
    cluster[0].kill()
    path = state_file(cluster[0].state_dir)
    pathlib.Path(f"{path}.new").write_bytes(path.read_bytes()[:10])
    cluster[0].start().wait_answers()
    assert cluster[0].ask("CLUSTER", "MYID") == name


def test_a_second_process_on_the_same_state_directory_is_refused(new_cluster):
    """Two nodes of one identity would vote twice: the second ends with an error that names the directory,
    and the first does not notice."""
    cluster = new_cluster(1)
    folder = cluster[0].state_dir
    text = refuses(folder, folder)
    assert "another process" in text
    assert cluster[0].client().set("still", "well")
    cluster[0].kill()  # and the lock goes with the process, however it ends
    cluster[0].start().wait_answers()


class Disk:
    """A small file system in memory."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        assert os.geteuid() == 0, "a full disk is made by mounting a small one; run these tests as root"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, f"a full disk cannot be made here: {done.stdout.strip()}"

    def fill(self):
        """To the last byte, whatever else is there."""
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            for size in (4096, 1):
                try:
                    while filler.write(b"x" * size):
                        pass
                except OSError:
                    pass

    def empty(self):
        (self.folder / "filler").unlink()

    def remove(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "disk")
    yield made
    made.remove()


@pytest.mark.parametrize("known", [False, True], ids=["new node", "known node"])
def test_a_node_does_not_start_on_a_full_disk(disk, remembered, known):
    """What it promised could not be written down: it ends with an error that names the path and the
    reason, and the state that was there is intact."""
    folder = disk.folder / "state"
    if known:
        shutil.copytree(remembered, folder)
        before = state_file(folder).read_bytes()
    disk.fill()
    text = refuses(folder, folder)
    assert "No space left on device" in text
    if known:
        assert state_file(folder).read_bytes() == before


def test_a_voter_whose_disk_is_full_goes_on_and_recovers(disk, new_cluster):
    """A running node that cannot write its state says so in its log, serves on, keeps nobody else from
    agreeing on views, and takes part again when there is space. Nothing is lost, and what it then
    remembers is up to date."""
    cluster = new_cluster(3, fast_arguments(), room=4)
    victim = cluster[1]
    before = epoch(cluster, cluster[0])
    victim.kill()
    kept = disk.folder / "state"
    shutil.copytree(victim.state_dir, kept)
    shutil.rmtree(victim.state_dir)
    victim.state_dir.symlink_to(kept)
    victim.start().wait_answers()
    wait_recovered(cluster, after=before)
    history = History(endpoints(cluster), seed=1)
    with history:
        history.wait_progress()
        before = epoch(cluster, cluster[0])
        disk.fill()
        joiner = cluster.add()  # a change of the view, which the victim cannot write down
        wait_until(lambda: epoch(cluster, joiner) > before, 20, "the others agree on a view")
        wait_until(lambda: "No space left on device" in victim.log(), 20, "the trouble is in the log")
        assert str(victim.state_dir) in victim.log()
        history.wait_progress(what="every key takes writes while the disk is full")
        assert victim.alive()
        disk.empty()
        wait_recovered(cluster, [record.key for record in history.records], after=before)
        history.wait_progress()
        joiner.kill()  # one more change, which it can write
        wait_until(lambda: all(epoch(cluster, node) > before + 1 for node in cluster.nodes[:3]), 20,
                   "all agree that a node is down")
        history.wait_progress()
        name = victim.ask("CLUSTER", "MYID")
        before = epoch(cluster, cluster[0])
        joiner.start().wait_answers()
        wait_recovered(cluster, [record.key for record in history.records], after=before)
        before = epoch(cluster, cluster[0])
        victim.kill()
        victim.start().wait_answers()
        assert victim.ask("CLUSTER", "MYID") == name
        wait_recovered(cluster, [record.key for record in history.records], after=before)
    history.check()
