"""A network of one switch between TUN devices, whose faults are given while it runs.

Run by netns.py as a process of its own: switch.py SEED CONTROL_FD FD,FD,... where the FDs are TUN devices;
the device at place i has the address 10.77.0.(i+1). The control socket carries JSON lines; each is
answered with an empty line once it holds. A line is {"rules": [[from, to, rule], ...]}: what becomes of
IP packets from one place to another; pairs not named are without fault. A rule is an object of

    cut        true: nothing passes
    loss       part of the packets that vanish, 0 to 1
    double     part that arrive twice
    delay_ms   how long a packet takes
    jitter_ms  up to so much more, at random for each packet, so that packets overtake each other

Why not tc netem and nft: kernels are built without them (the one of our CI has no netem), and what is
asked of them differs between versions. This needs TUN devices and nothing else.
"""

import heapq
import itertools
import json
import os
import random
import selectors
import socket
import sys
import time

PACKET_SIZE_MAX = 65536
READS_AT_ONCE = 64      # packets of one device before the others have their turn
DELAYED_MAX = 20000     # packets on their way; more are dropped, as a full queue does
NO_FAULT = {}


class Switch:
    def __init__(self, seed, devices):
        self.rng = random.Random(seed)
        self.devices = devices
        self.rules = {}
        self.delayed = []  # heap of (due, number, device, packet)
        self.number = itertools.count()

    def forward(self, source, packet):
        if len(packet) < 20 or packet[0] >> 4 != 4 or packet[16:19] != b"\x0a\x4d\x00":
            return  # IPv6's talk about itself, and what is for nobody here
        target = packet[19] - 1
        if not 0 <= target < len(self.devices):
            return
        rule = self.rules.get((source, target), NO_FAULT)
        if not rule:
            self.write(target, packet)
            return
        if rule.get("cut") or self.rng.random() < rule.get("loss", 0):
            return
        for _ in range(2 if self.rng.random() < rule.get("double", 0) else 1):
            delay_ms = rule.get("delay_ms", 0) + self.rng.random() * rule.get("jitter_ms", 0)
            if delay_ms == 0:
                self.write(target, packet)
            elif len(self.delayed) < DELAYED_MAX:
                due = time.monotonic() + delay_ms / 1000
                heapq.heappush(self.delayed, (due, next(self.number), target, packet))

    def write(self, target, packet):
        try:
            os.write(self.devices[target], packet)
        except OSError:
            pass  # a device that is down or full loses packets

    def deliver_due(self):
        """Sends what is due; returns the seconds until more is, or None."""
        now = time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            _, _, target, packet = heapq.heappop(self.delayed)
            self.write(target, packet)
        return max(0, self.delayed[0][0] - now) if self.delayed else None

    def read(self, place):
        for _ in range(READS_AT_ONCE):
            try:
                packet = os.read(self.devices[place], PACKET_SIZE_MAX)
            except BlockingIOError:
                return
            self.forward(place, packet)

    def set_rules(self, line):
        self.rules = {(source, target): rule for source, target, rule in json.loads(line)["rules"]}


def main():
    seed, control_fd, devices = sys.argv[1:]
    devices = [int(word) for word in devices.split(",")]
    switch = Switch(seed, devices)
    control = socket.socket(fileno=int(control_fd))
    commands = control.makefile("rb")
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ, None)
    for place, device in enumerate(devices):
        os.set_blocking(device, False)
        selector.register(device, selectors.EVENT_READ, place)
    while True:
        for key, _ in selector.select(switch.deliver_due()):
            if key.data is not None:
                switch.read(key.data)
                continue
            line = commands.readline()
            if not line:
                return  # the test has ended
            switch.set_rules(line)
            control.sendall(b"\n")


if __name__ == "__main__":
    main()
