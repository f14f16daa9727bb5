"""Downloads from a server that speaks as the Hub does: progress, stop, resume, checks, gates."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest

from fmstudio.image.hub import fetch as download
from fmstudio.image.hub.consent import explain
from fmstudio.image.hub.describe import UnsuitableModelError, describe
from fmstudio.image.hub.fetch import DownloadError, fetch_files, fetch_model
from fmstudio.image.hub.find import bytes_here, find, folder_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A Hub with one repository, served from a folder."""

    def __init__(self, folder: Path):
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        self.asked: list[tuple[str, str]] = []
        self.commit, self.gated, self.ranges = COMMIT, False, True
        self.cut_off: dict[str, int] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                hub.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler) -> None:
        path = handler.path.split("?")[0]
        wanted = handler.headers.get("Range", "")
        self.asked.append((path, wanted))
        if self.gated:
            return self.send(handler, 403, b"{}", {"X-Error-Code": "GatedRepo"})
        if path.startswith("/api/models/"):
            revision = path.split("/revision/")[1]
            if revision not in ("main", self.commit):
                return self.send(handler, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            siblings = [self.sibling(name, content) for name, content in self.files.items()]
            info = {"id": "some/model", "sha": self.commit, "siblings": siblings}
            return self.send(handler, 200, json.dumps(info).encode())
        name = path.split(f"/resolve/{self.commit}/")[1]
        content = self.files[name]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        if name in self.cut_off:
            length = self.cut_off.pop(name)
            handler.send_response(206 if start else 200)
            handler.send_header("Content-Length", str(len(content) - start))
            handler.end_headers()
            handler.wfile.write(content[start : start + length])
            handler.close_connection = True
            return None
        return self.send(handler, 206 if start else 200, content[start:], headers)

    @staticmethod
    def sibling(name, content):
        described = {"rfilename": name, "size": len(content), "blobId": "b"}
        if name.endswith(".safetensors"):
            digest = hashlib.sha256(content).hexdigest()
            described["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 100}
        return described

    @staticmethod
    def send(handler, status, content, headers=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FMSTUDIO_HUB_FOLDER", str(tmp_path))


@pytest.fixture
def hub(tiny_folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(download, "SHOW_EVERY", 0.0)
    monkeypatch.setattr(download, "CHUNK", 20_000)
    served = Hub(tiny_folder("SD3"))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    served.files["unet.bin"] = b"pickle"
    served.files["transformer/diffusion_pytorch_model.fp16.safetensors"] = b"a variant"
    yield served
    served.server.shutdown()
    served.server.server_close()


def fetch(**changes):
    return fetch_model("some/model", **changes)


def test_a_model_is_fetched_with_progress_and_can_be_loaded(hub, tmp_path, tiny_folder) -> None:
    reports = list(fetch())
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[-1] == reports[-1].total == reports[0].total
    assert len(reports) > 20
    assert all(report.seconds_left is None or report.seconds_left >= 0 for report in reports)
    found = find("some/model")
    assert found is not None
    assert found.commit == COMMIT
    assert found.parts == describe(tiny_folder("SD3")).parts
    fetched = {path for path, _ in hub.asked}
    assert not any("fp16" in path or path.endswith(".bin") for path in fetched)
    assert not list(tmp_path.rglob("*.part.part"))


def test_a_stopped_download_goes_on_in_the_middle_of_the_file(hub) -> None:
    name = "transformer/diffusion_pytorch_model.safetensors"
    steps = fetch()
    for report in steps:
        if report.file == name:
            break
    steps.close()
    part = folder_of("some/model", "main") / f"{name}.part"
    here = part.stat().st_size
    assert 0 < here < len(hub.files[name])
    assert find("some/model") is None
    assert bytes_here("some/model") > here
    hub.asked.clear()
    reports = list(fetch())
    ranges = [wanted for path, wanted in hub.asked if path.endswith(name)]
    assert ranges == [f"bytes={here}-"]
    assert reports[0].done > here
    assert reports[-1].fetched == reports[-1].total - reports[0].done
    target = folder_of("some/model", "main") / name
    assert target.read_bytes() == hub.files[name]


def test_a_download_that_is_taken_up_stays_at_its_commit(hub) -> None:
    steps = fetch()
    next(steps)
    steps.close()
    hub.asked.clear()
    list(fetch())
    assert hub.asked[0][0].endswith(f"/revision/{COMMIT}")


def test_a_broken_connection_is_taken_up_by_itself(hub, monkeypatch) -> None:
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    name = "vae/diffusion_pytorch_model.safetensors"
    hub.cut_off = {name: 30_000}
    list(fetch())
    assert [wanted for path, wanted in hub.asked if path.endswith(name)] == [
        "",
        "bytes=20000-",
    ]  # whole chunks
    assert find("some/model") is not None


def test_a_server_that_sends_everything_again_is_believed(hub, monkeypatch) -> None:
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    name = "vae/diffusion_pytorch_model.safetensors"
    hub.cut_off, hub.ranges = {name: 30_000}, False
    reports = list(fetch())
    assert reports[-1].fetched == reports[-1].done - reports[0].done
    assert (folder_of("some/model", "main") / name).read_bytes() == hub.files[name]


def test_a_file_that_is_not_what_the_hub_states_is_removed(hub) -> None:
    name = "vae/diffusion_pytorch_model.safetensors"
    original = hub.files[name]
    said = hub.sibling(name, original)
    hub.sibling = lambda n, content: said if n == name else Hub.sibling(n, content)
    hub.files[name] = original[:-1] + bytes([original[-1] ^ 1])
    with pytest.raises(DownloadError, match="SHA-256 is wrong"):
        list(fetch())
    folder = folder_of("some/model", "main")
    assert not (folder / name).exists()
    assert not (folder / f"{name}.part").exists()
    hub.files[name] = original
    list(fetch())
    assert find("some/model") is not None


def test_optional_parts_are_left_out(hub) -> None:
    list(fetch(without=("text_encoder_3",)))
    assert not any("text_encoder_3" in path for path, _ in hub.asked)
    assert find("some/model") is None
    assert find("some/model", without=("text_encoder_3",)) is not None


def test_one_download_of_a_model_at_a_time(hub) -> None:
    first = fetch()
    next(first)
    with pytest.raises(DownloadError, match="already"):
        next(fetch())
    first.close()
    next(fetch())


def test_no_room_is_said_before_anything_large_is_fetched(hub, tmp_path, monkeypatch) -> None:
    usage = download.shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DownloadError, match="Make room"):
        list(fetch())
    assert not any(path.endswith(".safetensors") for path, _ in hub.asked)


def test_pickles_are_never_fetched(hub) -> None:
    name = "vae/diffusion_pytorch_model"
    hub.files[f"{name}.bin"] = hub.files.pop(f"{name}.safetensors")
    with pytest.raises(UnsuitableModelError, match="Pickled weights can run code"):
        list(fetch())


def test_single_files_such_as_a_small_decoder(hub) -> None:
    list(fetch_files("some/model", ("vae/config.json",)))
    assert (folder_of("some/model", "main") / "vae" / "config.json").is_file()


def test_a_gate_and_a_wrong_revision_are_explained(hub) -> None:
    with pytest.raises(OSError) as caught:
        list(fetch(revision="nowhere"))
    assert "no such revision" in explain(caught.value, "some/model")
    hub.gated = True
    with pytest.raises(OSError) as caught:
        list(fetch())
    assert "accept its terms" in explain(caught.value, "some/model")


def test_an_unreachable_hub_is_explained(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Exception) as caught:
        list(fetch())
    assert "could not be reached" in explain(caught.value, "some/model")


def test_offline_is_explained(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError) as caught:
        list(fetch_model("some/model"))
    assert "HF_HUB_OFFLINE" in explain(caught.value, "some/model")
