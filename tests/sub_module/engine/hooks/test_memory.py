"""The share of memory that is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from sub_module.engine.hooks.memory import container_share, used_share

# What an operating system shows of a container: files and their content.
VERSION_2 = {
    "memory.max": "1000\n",
    "memory.current": "800\n",
    "memory.stat": "anon 500\ninactive_file 200\nactive_file 100\n",
}
VERSION_1 = {
    "memory/memory.limit_in_bytes": "1000\n",
    "memory/memory.usage_in_bytes": "600\n",
    "memory/memory.stat": "rss 500\ntotal_inactive_file 50\ntotal_active_file 50\n",
}


@pytest.mark.parametrize(
    ("files", "share"),
    [
        pytest.param(VERSION_2, 0.5, id="what the kernel can drop does not count"),
        pytest.param(VERSION_1, 0.5, id="the older version"),
        pytest.param({**VERSION_2, "memory.max": "max\n"}, 0.0, id="no limit"),
        pytest.param({**VERSION_1, "memory/memory.limit_in_bytes": str(2**63)}, 0.0, id="as none"),
        pytest.param({}, 0.0, id="no control groups"),
    ],
)
def test_container(tmp_path: Path, files: dict[str, str], share: float) -> None:
    (tmp_path / "memory").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert container_share(tmp_path) == pytest.approx(share)


def test_this_machine() -> None:
    assert 0 < used_share() < 1
