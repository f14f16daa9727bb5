"""Fetching a model: file by file, in plain sight, to be stopped at any time and taken up where it ended.

The Hub's own client fetches into its cache, but a file that is cut off starts again from its beginning, and
single files have ten gigabytes; its reader can take a file up, but nobody can stop it between two pieces.
Here a file grows as ``NAME.part`` and the next attempt asks the server for the rest; a finished file is
checked against the size and the SHA-256 that the Hub states. The commit is settled at the first attempt, so a
download that is taken up later is still of one version.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmstudio.image.hub.describe import wanted_files
from fmstudio.image.hub.find import COMMIT_FILE, folder_of
from fmstudio.image.hub.machine import gib

CHUNK = 2**20
SHOW_EVERY = 0.2
"""Seconds between two reports."""

ATTEMPTS = 5
"""Times that a broken connection is taken up again, counted anew whenever bytes came."""

_STARTED_FILE = "commit.part"
_busy: set[Path] = set()
_lock = threading.Lock()


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
        if not self.fetched:
            return None
        return (self.total - self.done) * self.seconds / self.fetched


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    sha256: str


def fetch_model(
    model_id: str,
    revision: str = "main",
    without: tuple[str, ...] = (),
    endpoint: str | None = None,
) -> Iterator[DownloadProgress]:
    """Fetch a pipeline: its settings, its vocabularies and its full-precision safetensors.

    Closing the iterator stops the download; what came is kept for the next attempt.

    Args:
        model_id: as ``owner/name``.
        revision: branch, tag or commit.
        without: components that are not needed.
        endpoint: of the Hub, if it is another one.

    Raises:
        DownloadError: no room on the disk, another download of this model, a file that is not what it
        should be. UnsuitableModelError: a network has no safetensors. OSError: the Hub's errors and the
        connection's; `fmstudio.image.hub.consent.explain` puts them in words.
    """

    def choose(hub: _Hub, folder: Path) -> list[_File]:
        index = hub.file("model_index.json")
        for _ in _fetch_file(hub, index, folder):
            pass
        content = json.loads((folder / index.name).read_text("utf-8"))
        return [hub.file(name) for name in wanted_files(hub.names, content, without)]

    yield from _fetch(model_id, revision, endpoint, choose)


def fetch_files(model_id: str, names: tuple[str, ...], revision: str = "main") -> Iterator[DownloadProgress]:
    """Fetch some files of a repository, such as a small decoder's; otherwise as `fetch_model`.

    Args:
        model_id: as ``owner/name``.
        names: of the files.
        revision: branch, tag or commit.
    """
    yield from _fetch(model_id, revision, None, lambda hub, _: [hub.file(name) for name in names])


class _Hub:
    """One repository at one commit."""

    def __init__(self, model_id: str, revision: str, endpoint: str | None):
        from huggingface_hub import HfApi

        info = HfApi(endpoint=endpoint).model_info(model_id, revision=revision, files_metadata=True)
        self.commit = str(info.sha)
        self._model_id, self._endpoint = model_id, endpoint
        self._files = {
            sibling.rfilename: _File(
                sibling.rfilename, int(sibling.size or 0), sibling.lfs.sha256 if sibling.lfs else ""
            )
            for sibling in info.siblings or []
        }

    @property
    def names(self) -> list[str]:
        return list(self._files)

    def file(self, name: str) -> _File:
        if name not in self._files:
            raise DownloadError(f"{self._model_id} has no {name}, so it is no model in diffusers' layout.")
        return self._files[name]

    @contextmanager
    def stream(self, file: _File, start: int) -> Generator[Any, None, None]:
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = hf_hub_url(self._model_id, file.name, revision=self.commit, endpoint=self._endpoint)
        # identity: a compressed answer could not be taken up in the middle
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with get_session().stream(
            "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, follow_redirects=True
        ) as response:
            hf_raise_for_status(response)
            yield response


def _fetch(
    model_id: str, revision: str, endpoint: str | None, choose: Callable[[_Hub, Path], list[_File]]
) -> Iterator[DownloadProgress]:
    folder = folder_of(model_id, revision)
    with _alone(folder):
        folder.mkdir(parents=True, exist_ok=True)
        started = folder / _STARTED_FILE
        settled = started.read_text("ascii").strip() if started.is_file() else revision
        hub = _Hub(model_id, settled, endpoint)
        started.write_text(hub.commit, "ascii")
        files = choose(hub, folder)
        total = sum(file.size for file in files)
        before = sum(_have(folder, file) for file in files)
        _check_room(folder, total - before, model_id)
        begun, shown, fetched = time.perf_counter(), 0.0, 0
        yield DownloadProgress("", before, total, 0, 0.0)
        for file in files:
            for step in _fetch_file(hub, file, folder):
                fetched += step
                now = time.perf_counter()
                if now - shown >= SHOW_EVERY:
                    shown = now
                    yield DownloadProgress(file.name, before + fetched, total, fetched, now - begun)
        (folder / COMMIT_FILE).write_text(hub.commit, "ascii")
        yield DownloadProgress("", total, total, fetched, time.perf_counter() - begun)


def _fetch_file(hub: _Hub, file: _File, folder: Path) -> Iterator[int]:
    """Bytes as they come (0: still at work), until the file is there and checked.

    A server that ignores the wish for the rest sends the whole file; then the bytes that are sent again count
    negative once.
    """
    import httpx2

    target, part = folder / file.name, folder / f"{file.name}.part"
    if target.is_file() and target.stat().st_size == file.size:
        return
    part.parent.mkdir(parents=True, exist_ok=True)
    attempts = ATTEMPTS
    while True:
        start = part.stat().st_size if part.is_file() else 0
        if start > file.size:
            part.unlink()
            start = 0
        if start == file.size:
            part.touch()
            break
        try:
            with hub.stream(file, start) as response:
                resumed = start > 0 and response.status_code == 206
                if start and not resumed:
                    yield -start
                with part.open("ab" if resumed else "wb") as out:
                    for chunk in response.iter_bytes(CHUNK):
                        out.write(chunk)
                        attempts = ATTEMPTS
                        yield len(chunk)
        except (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError):
            attempts -= 1
            if attempts <= 0:
                raise
            time.sleep(min(2 ** (ATTEMPTS - attempts - 1), 8) / 4)
            yield 0
            continue
        if part.stat().st_size != file.size:
            attempts -= 1
            if attempts <= 0 or part.stat().st_size > file.size:
                part.unlink()
                raise DownloadError(
                    f"{file.name} came with another size than the Hub states ({file.size} bytes). Try again."
                )
    if file.sha256:
        yield from _check(part, file)
    part.replace(target)


def _check(part: Path, file: _File) -> Iterator[int]:
    digest = hashlib.sha256()
    with part.open("rb") as read:
        while block := read.read(16 * CHUNK):
            digest.update(block)
            yield 0
    if digest.hexdigest() != file.sha256:
        part.unlink()
        raise DownloadError(
            f"{file.name} did not arrive intact (its SHA-256 is wrong) and was removed. Try again."
        )


def _have(folder: Path, file: _File) -> int:
    for path in (folder / file.name, folder / f"{file.name}.part"):
        if path.is_file():
            return min(path.stat().st_size, file.size)
    return 0


def _check_room(folder: Path, needed: int, model_id: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{model_id} needs {gib(needed)} more on the disk of {folder.parent}, and {gib(free)} are free. "
            "Make room, or set FMSTUDIO_HUB_FOLDER to another disk."
        )


@contextmanager
def _alone(folder: Path) -> Generator[None, None, None]:
    with _lock:
        if folder in _busy:
            raise DownloadError("This model is being fetched already, for another visitor. Wait for that.")
        _busy.add(folder)
    try:
        yield
    finally:
        with _lock:
            _busy.discard(folder)
