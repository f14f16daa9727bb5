"""Fetching a model: file by file, in plain sight, to be stopped at any time and taken up where it ended.

The Hub's own client begins a file that was cut off again, and single files have ten gigabytes. Here a file
grows as ``NAME.part`` and the next attempt asks the server for the rest; a finished file is checked against
the size and the SHA-256 that the Hub states. The commit is settled at the first attempt, so a download that
is taken up later is still of one version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from fmstudio.image.hub.describe import wanted_files
from fmstudio.image.hub.find import COMMIT_FILE, folder_of
from fmstudio.image.hub.machine import gib

CHUNK = 2**20
SHOW_EVERY = 0.2
"""Seconds between two reports."""

ATTEMPTS = 5
"""Times that a broken connection is taken up again, counted anew whenever bytes came."""

_STARTED_FILE = "commit.part"
_busy: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class DownloadError(RuntimeError):
    """A download that cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is.

    Args:
        file: what is being fetched or checked.
        done, total: bytes of the whole model, with those that were there before.
        fetched: bytes that came in this attempt.
        seconds: since this attempt began.
    """

    file: str
    done: int
    total: int
    fetched: int
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """By the speed of this attempt; None before anything came."""
        return (self.total - self.done) * self.seconds / self.fetched if self.fetched else None


def fetch_model(
    model_id: str, revision: str = "main", without: tuple[str, ...] = ()
) -> Iterator[DownloadProgress]:
    """Fetch a pipeline: its settings, its vocabularies and its full-precision safetensors.

    Closing the iterator stops the download; what came is kept for the next attempt.

    Args:
        model_id: as ``owner/name``.
        revision: branch, tag or commit.
        without: components that are not needed.

    Raises:
        DownloadError: no room on the disk, another download of this model, a file that is not what it
        should be. UnsuitableModelError: a network has no safetensors. OSError: the Hub's errors and the
        connection's; `fmstudio.image.hub.consent.explain` puts them in words.
    """

    def wanted(files: _Listing) -> Iterable[str]:
        index = files["model_index.json"]
        deque(index.fetch(), maxlen=0)
        return wanted_files(files, json.loads(index.target.read_text("utf-8")), without)

    yield from _fetch(model_id, revision, wanted)


def fetch_files(model_id: str, names: tuple[str, ...]) -> Iterator[DownloadProgress]:
    """Fetch some files of a repository, such as a small decoder's; otherwise as `fetch_model`."""
    yield from _fetch(model_id, "main", lambda _: names)


def _fetch(
    model_id: str, revision: str, wanted: Callable[[_Listing], Iterable[str]]
) -> Iterator[DownloadProgress]:
    folder = folder_of(model_id, revision)
    if not _busy[folder].acquire(blocking=False):
        raise DownloadError("This model is being fetched already, for another visitor. Wait for that.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        started = folder / _STARTED_FILE
        settled = started.read_text("ascii").strip() if started.is_file() else revision
        files = _Listing(model_id, settled, folder)
        started.write_text(files.commit, "ascii")
        chosen = [files[name] for name in wanted(files)]
        needed, free = sum(file.size - file.here for file in chosen), shutil.disk_usage(folder).free
        if needed > free:
            raise DownloadError(
                f"{model_id} needs {gib(needed)} more on the disk of {folder.parent}, and {gib(free)} are "
                "free. Make room, or set FMSTUDIO_HUB_FOLDER to another disk."
            )
        yield from _reported(chosen)
        (folder / COMMIT_FILE).write_text(files.commit, "ascii")
    finally:
        _busy[folder].release()


class _Listing(dict[str, "_File"]):
    """The files of a repository at the commit of a revision, by name."""

    def __init__(self, model_id: str, revision: str, folder: Path):
        from huggingface_hub import HfApi, hf_hub_url

        info = HfApi().model_info(model_id, revision=revision, files_metadata=True)
        self.model_id, self.commit = model_id, str(info.sha)
        for found in info.siblings or []:
            name, sha256 = found.rfilename, found.lfs.sha256 if found.lfs else ""
            url = hf_hub_url(model_id, name, revision=self.commit)
            self[name] = _File(name, url, found.size or 0, sha256, folder / name)

    def __missing__(self, name: str) -> _File:
        raise DownloadError(f"{self.model_id} has no {name}, so it is no model in diffusers' layout.")


def _reported(files: list[_File]) -> Iterator[DownloadProgress]:
    total, before = sum(file.size for file in files), sum(file.here for file in files)
    begun, shown, fetched = time.perf_counter(), 0.0, 0
    yield DownloadProgress("", before, total, 0, 0.0)
    for file in files:
        for count in file.fetch():
            fetched += count
            now = time.perf_counter()
            if now - shown >= SHOW_EVERY:
                shown = now
                yield DownloadProgress(file.name, before + fetched, total, fetched, now - begun)
    yield DownloadProgress("", total, total, fetched, time.perf_counter() - begun)


@dataclass(frozen=True)
class _File:
    """A file of a repository at one commit, and where it grows on this machine."""

    name: str
    url: str
    size: int
    sha256: str
    target: Path

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def complete(self) -> bool:
        return self.target.is_file() and self.target.stat().st_size == self.size

    @property
    def here(self) -> int:
        """Bytes of it that need not be fetched."""
        if self.complete:
            return self.size
        have = self.part.stat().st_size if self.part.is_file() else 0
        return have if have <= self.size else 0

    def fetch(self) -> Iterator[int]:
        """Bytes as they come (0: still at work), until the file is there and checked."""
        if self.complete:
            return
        self.part.parent.mkdir(parents=True, exist_ok=True)
        with self.part.open("ab") as out:
            out.truncate(self.here)
            yield from self._grow(out)
        yield from self._check()
        self.part.replace(self.target)

    def _grow(self, out: BinaryIO) -> Iterator[int]:
        """The bytes that lack; a connection that breaks is taken up again.

        A server that ignores the wish for the rest sends the whole file; then the bytes that are sent again
        count negative once.
        """
        import httpx2
        from huggingface_hub import constants
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        # identity: a compressed answer could not be taken up in the middle
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        failures = 0
        while (start := out.seek(0, SEEK_END)) < self.size:
            asked = headers | ({"Range": f"bytes={start}-"} if start else {})
            try:
                with get_session().stream(
                    "GET", self.url, headers=asked, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
                ) as response:
                    hf_raise_for_status(response)
                    if start and response.status_code != 206:
                        out.truncate(0)
                        yield -start
                    for chunk in response.iter_bytes(CHUNK):
                        out.write(chunk)
                        failures = 0
                        yield len(chunk)
                return
            except httpx2.TransportError:
                failures += 1
                if failures == ATTEMPTS:
                    raise
                time.sleep(2**failures / 8)
                yield 0

    def _check(self) -> Iterator[int]:
        if self.part.stat().st_size != self.size:
            self.part.unlink()
            raise DownloadError(
                f"{self.name} came with another size than the Hub states ({self.size} bytes). Try again."
            )
        if not self.sha256:
            return
        digest = hashlib.sha256()
        with self.part.open("rb") as read:
            while block := read.read(16 * CHUNK):
                digest.update(block)
                yield 0
        if digest.hexdigest() != self.sha256:
            self.part.unlink()
            raise DownloadError(
                f"{self.name} did not arrive intact (its SHA-256 is wrong) and was removed. Try again."
            )
