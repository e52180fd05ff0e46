"""How many cores this process may use: affinity and container quota, not what the machine has."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Whole cores, at least 1: the smaller of the CPU affinity and the cgroup quota (version 2 or 1)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(affinity, int(_quota(cgroup))))


def _quota(cgroup: Path) -> float:
    """Cores' worth of time that the cgroup grants, infinity (as a large number) without a limit."""
    unlimited = 1e6
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return unlimited
    if quota in ("max", "-1"):
        return unlimited
    return int(quota) / int(period)
