"""npm folders: each has a lock, no lock names a host, and npm is told to keep it so."""

import json
from pathlib import PurePosixPath

import pytest

from tests.support.source import ROOT, tree_files

FOLDERS = [
    str(PurePosixPath(name).parent) for name in tree_files() if PurePosixPath(name).name == "package.json"
]
SETTING = "omit-lockfile-registry-resolved=true"


@pytest.mark.parametrize("folder", FOLDERS)
def test_npm_folder_is_locked_without_hosts(folder: str) -> None:
    lock = ROOT / folder / "package-lock.json"
    assert lock.is_file(), f"{folder} has no package-lock.json; run `npm install` there and commit it"
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    hosted = [name for name, package in packages.items() if "://" in str(package.get("resolved", ""))]
    assert not hosted, f"{lock.relative_to(ROOT)} says where these came from; delete `resolved`: {hosted}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_npm_folder_keeps_hosts_out(folder: str) -> None:
    npmrc = ROOT / folder / ".npmrc"
    assert npmrc.is_file(), f"{folder} needs an .npmrc with {SETTING}"
    assert SETTING in npmrc.read_text(encoding="utf-8").split(), f"add {SETTING} to {folder}/.npmrc"
