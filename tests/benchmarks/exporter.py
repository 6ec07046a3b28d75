"""What the exporter costs: CPU and memory of the daemon and its reader, 8 accelerators, once a second.

Runs on the compiled fake library: the driver's own time is not in it, Python's is. dcgm-exporter is not run here; its
users report 400 to 500 MiB (NVIDIA/dcgm-exporter issues 609 and 702).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from gigawatch_exporters.fake import native
from gigawatch_exporters.fake.scene import Scene
from gigawatch_exporters.fake.state import NodeState
from gigawatch_exporters.machine import cpu_seconds, resident_bytes

ACCELERATORS = 8
SETTLING = 5.0


def proportional_bytes(pid: int) -> int:
    """Resident memory in which a page that several processes share counts for each of them in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to measure (default: 30)")
    seconds: float = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name, Scene(native.build(Path(name)), Path(name)) as scene:
        one = scene.node.accelerators[0]
        node = NodeState(accelerators=tuple(replace(one, hw_id=f"GPU-{index}") for index in range(ACCELERATORS)))
        scene.show(node)
        daemon = scene.start("--period", "1", "--interval", "15", "--deadline", "5", "--hang", "30")
        time.sleep(SETTLING)
        pids = [daemon.pid, *daemon.readers()]
        before = sum(map(cpu_seconds, pids))
        time.sleep(seconds)
        spent = sum(map(cpu_seconds, pids)) - before
        resident = [resident_bytes(pid) for pid in pids]
        bodies = [int(export.headers["Content-Length"]) for export in scene.receiver.accepted()]
        found = {
            "accelerators": ACCELERATORS,
            "seconds": seconds,
            "exporter_cpu_percent_of_a_core": round(100 * spent / seconds, 2),
            "exporter_daemon_mib": round(resident[0] / 2**20, 1),
            "exporter_reader_mib": round(resident[1] / 2**20, 1),
            "exporter_rss_mib": round(sum(resident) / 2**20, 1),
            "exporter_pss_mib": round(sum(map(proportional_bytes, pids)) / 2**20, 1),
            "exporter_export_bytes": max(bodies),
            "dcgm_exporter_rss_mib_reported_by_users": [400, 500],
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
