"""How many cores there are to use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sub_module.machine import num_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds processes")
def test_a_bound_process_has_the_cores_it_is_bound_to() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert num_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert num_cores() == len(before)


@pytest.mark.parametrize(("counted", "cores"), [(6, 6), (None, 1)], ids=["counted", "unknown"])
def test_elsewhere_it_is_the_machines_number(
    monkeypatch: pytest.MonkeyPatch, counted: int | None, cores: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert num_cores() == cores


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/cpu,cpuacct"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        pytest.param("0::/", {f"{V2}/cpu.max": "250000 100000"}, 2, id="whole cores count"),
        pytest.param("0::/", {f"{V2}/cpu.max": "50000 100000"}, 1, id="half a core is one"),
        pytest.param("0::/", {f"{V2}/cpu.max": "max 100000"}, 8, id="no share is set"),
        pytest.param("0::/", {f"{V2}/cpu.max": "1600000 100000"}, 8, id="more than there are"),
        pytest.param("0::/", {f"{V2}/cpu.max": "what"}, 8, id="unreadable"),
        pytest.param(
            "0::/pods/one",
            {f"{V2}/pods/one/cpu.max": "max 100000", f"{V2}/pods/cpu.max": "300000 100000"},
            3,
            id="the share of a group round it",
        ),
        pytest.param(
            "0::/on/the/machine", {f"{V2}/cpu.max": "200000 100000"}, 2, id="its own is topmost"
        ),
        pytest.param(
            "5:memory:/pod\n3:cpu,cpuacct:/pod",
            {f"{V1}/pod/cpu.cfs_quota_us": "400000", f"{V1}/pod/cpu.cfs_period_us": "100000"},
            4,
            id="version 1",
        ),
        pytest.param(
            "3:cpu,cpuacct:/",
            {f"{V1}/cpu.cfs_quota_us": "-1", f"{V1}/cpu.cfs_period_us": "100000"},
            8,
            id="version 1 without a share",
        ),
        pytest.param(None, {}, 8, id="no control groups"),
    ],
)
def test_a_containers_share_of_processor_time(
    groups: str | None,
    files: dict[str, str],
    cores: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    if groups is not None:
        files = {"proc/self/cgroup": groups, **files}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    assert num_cores(tmp_path) == cores
