"""Code on the volume: packed here, delivered, and unpacked by the first step."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from components.commit import commit_of, commit_of_code
from components.fetch_code.component import fetch_code
from components.fetch_code.unpack import archive_name, code_folder, fetch, unpack
from pipelines.code import Archive, deliver, deliver_code, pack
from sub_module.errors import DataError, RunError, StoreError
from sub_module.settings import Settings
from tests.servers.gcs import Gcs

IDENTITY = ["-c", "user.name=Kim", "-c", "user.email=kim@example.com"]
MB = 1.0


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *IDENTITY, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree") / "a tree"
    (folder / "room").mkdir(parents=True)
    git(folder.parent, "init", "-q", str(folder))
    (folder / "room/steps.py").write_text("print('as committed')\n")
    (folder / "room/gone.py").write_text("")
    (folder / "번호판.txt").write_text("names of all kinds")
    (folder / "run.sh").write_text("true\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("room/steps.py")
    (folder / ".gitignore").write_text("*.log\n")
    allowed = ("room", "번호판.txt", "run.sh", "link", "out", "new.py", "weights.bin")
    (folder / ".dockerignore").write_text("".join(["# \n*\n", *(f"!{name}\n" for name in allowed)]))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
def tree(committed: Path, tmp_path: Path) -> Path:
    """A work tree of its own for each test."""
    return Path(shutil.copytree(committed, tmp_path / "a tree", symlinks=True))


def members(archive: Archive) -> dict[str, bytes | str | None]:
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as tar:
        return {
            each.name: file.read() if each.isreg() and (file := tar.extractfile(each)) else None
            for each in tar.getmembers()
        }


def test_packs_the_tree_as_it_is(tree: Path) -> None:
    (tree / "room/steps.py").write_text("print('changed')\n")
    (tree / "room/gone.py").unlink()
    (tree / "new.py").write_text("new")
    (tree / "room/run.log").write_text("ignored")
    (tree / "secrets.env").write_text("PLATEFLOW_DATABASE_URL=mysql://me:planted@db/x")
    found = members(pack(tree, MB))
    assert found["room/steps.py"] == b"print('changed')\n"
    assert set(found) == {"link", "new.py", "room/steps.py", "run.sh", "번호판.txt"}


def test_same_files_are_the_same_archive(tree: Path) -> None:
    first = pack(tree, MB)
    os.utime(tree / "run.sh", (1, 1))
    assert pack(tree, MB) == first
    (tree / "run.sh").write_text("false\n")
    assert pack(tree, MB).digest != first.digest


def test_commit(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(tree, "rev-parse", "--short", "HEAD")
    assert commit_of(tree) == pack(tree, MB).commit == commit
    (tree / "new.py").write_text("new")
    assert commit_of(tree) == f"{commit}-dirty"
    assert commit_of(tree / "room") == "", "its repository is another's"
    monkeypatch.setenv("PLATEFLOW_COMMIT", "of an image")
    commit_of_code.cache_clear()
    assert commit_of_code() == "of an image"
    commit_of_code.cache_clear()


def test_refuses_a_large_tree(tree: Path) -> None:
    (tree / "weights.bin").write_bytes(os.urandom(30_000))
    with pytest.raises(RunError, match=r"0\.0 MB, above .*0\.02; .*weights\.bin \(0\.0 MB\), "):
        pack(tree, 0.02)


def test_refuses_what_is_no_work_tree(tree: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tree / "room"):
        with pytest.raises(RunError, match=r"no git work tree.*--code image"):
            pack(folder, MB)
    (tree / ".git/HEAD").write_text("damaged")
    with pytest.raises(RunError, match=r"git: fatal"):
        pack(tree, MB)


def test_refuses_without_git(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    with pytest.raises(RunError, match="git is not installed"):
        pack(tree, MB)
    assert commit_of(tree) == ""


def test_refuses_a_way_out(tree: Path) -> None:
    (tree / "out").symlink_to("/etc/passwd")
    with pytest.raises(RunError, match=r"out: leads out of the work tree"):
        pack(tree, MB)


def test_over_the_volume(tree: Path, tmp_path: Path) -> None:
    archive, volume = pack(tree, MB), tmp_path / "volume"
    volume.mkdir()
    code = deliver(archive, "volume", Settings(volume=volume))
    assert (volume / archive_name(code.digest)).read_bytes() == archive.content
    folder = fetch(volume, code.digest, code.place)
    assert folder == volume / code_folder(code.digest)
    assert (folder / "room/steps.py").read_text() == "print('as committed')\n"
    assert (folder / "link").resolve() == folder / "room/steps.py"
    assert os.access(folder / "run.sh", os.X_OK)
    assert not os.access(folder / "room/steps.py", os.X_OK)
    # What is there is not unpacked again.
    (volume / archive_name(code.digest)).unlink()
    assert fetch(volume, code.digest, code.place) == folder
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


def test_over_the_store(
    tree: Path, tmp_path: Path, gcs: Gcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_STORE", gcs.store)
    code = deliver(pack(tree, MB), "store", Settings())
    assert fetch(tmp_path, code.digest, code.place).joinpath("run.sh").read_text() == "true\n"
    with pytest.raises(StoreError, match="no such thing"):
        fetch(tmp_path, "0" * 64, "store")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({}, "PLATEFLOW_STORE.*gs://.*PLATEFLOW_VOLUME", id="nothing"),
        pytest.param({"store": "file:///tmp/x"}, "cannot reach this machine", id="a store here"),
        pytest.param({"volume": Path("/not/there")}, "/not/there: there is no", id="not mounted"),
    ],
)
def test_no_way_to_the_cluster(settings: dict[str, object], words: str) -> None:
    with pytest.raises(RunError, match=words):
        deliver_code(Settings(**settings), MB)  # type: ignore[arg-type]


def test_volume_that_cannot_be_written(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "code").write_text("a file in its way")
    with pytest.raises(RunError, match=f"{tmp_path / 'code'}"):
        deliver(pack(tree, MB), "volume", Settings(volume=tmp_path))


def _archive_of(file: Path, name: str) -> tuple[Path, str]:
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name))
    content = file.read_bytes()
    return file, Archive(content, "").digest


def test_damaged_archives(tmp_path: Path) -> None:
    good, digest = _archive_of(tmp_path / "good.tar.gz", "a.py")
    away, of_away = _archive_of(tmp_path / "away.tar.gz", "../a.py")
    no_tar = tmp_path / "no.tar.gz"
    no_tar.write_text("no archive")
    for archive, given, words in (
        (tmp_path / "none", digest, "no such archive"),
        (good, of_away, "its checksum is another"),
        (away, of_away, "cannot be unpacked"),
        (no_tar, Archive(b"no archive", "").digest, "cannot be unpacked"),
    ):
        with pytest.raises(DataError, match=words):
            unpack(archive, given, tmp_path / "code")
    assert not (tmp_path / "code").exists()
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path.parent / "a.py").exists()


def test_two_steps_at_once(tree: Path, tmp_path: Path) -> None:
    archive = pack(tree, MB)
    deliver(archive, "volume", Settings(volume=tmp_path))
    failed: list[BaseException] = []

    def step() -> None:
        try:
            unpack(tmp_path / archive_name(archive.digest), archive.digest, tmp_path / "code/x")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=step) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert (tmp_path / "code/x/run.sh").is_file()
    assert not list(tmp_path.glob("code/.*"))


def test_component_says_one_line(tree: Path, tmp_path: Path) -> None:
    archive = pack(tree, MB)
    for words in ("there is no such archive", "Not a directory"):
        with pytest.raises(SystemExit) as caught:
            fetch_code.python_func(str(tmp_path), archive.digest, "volume")
        message = str(caught.value)
        assert message.startswith("error: ")
        assert words in message
        assert "\n" not in message
        deliver(archive, "volume", Settings(volume=tmp_path))
        (tmp_path / code_folder(archive.digest)).write_text("in its way")
