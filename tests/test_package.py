"""What a user installs: the whole package, and nothing but that."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def files_below(directory):
    return {path.relative_to(directory) for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the project, for whoever builds it leaves something behind."""
    made = tmp_path_factory.mktemp("project") / "source"
    others = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    return shutil.copytree(ROOT, made, ignore=others)


@pytest.fixture(scope="module")
def installed(source, tmp_path_factory):
    """A directory with what the project's wheel has in it."""
    made = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", made, "."], cwd=source, check=True)
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(made)
    wheel.unlink()
    return made


def test_a_wheel_has_all_files_of_the_package_and_no_others(source, installed):
    package = {Path("peer", path) for path in files_below(source / "peer")}
    found = {path for path in files_below(installed) if not path.parts[0].endswith(".dist-info")}
    assert found == package | {Path("pytest_aiortc_peer.py")}
