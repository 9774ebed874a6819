"""Films from the network, on the loopback interface, each sent by somebody else's program."""

from __future__ import annotations

import http.server
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import strangers

import streamcolor
from streamcolor import InputError

from films import Film, Sound, decoded

FRAMES = 50


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"bf": "0", "g": "10"}
    return Film(pts=range(FRAMES), sounds=[Sound()], settings=settings).write(
        tmp_path_factory.mktemp("network") / "film.ts"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """A web server of Python's own library."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def receive(address: str, output: Path, **options: object) -> streamcolor.Report:
    return streamcolor.colorize(address, output, allow_network=True, engine="onnxruntime", **options)


def test_the_network_is_asked_for(tmp_path: Path) -> None:
    for address in ("http://127.0.0.1:9/film.ts", "tcp://127.0.0.1:9", "rtsp://127.0.0.1:9/film"):
        with pytest.raises(InputError, match="--allow-network"):
            streamcolor.colorize(address, tmp_path / "out.mkv")


def test_other_addresses_are_refused(tmp_path: Path, film: Path) -> None:
    for address in (f"subfile:,start,0,end,0,,:{film}", f"concat://{film}", "ftp://127.0.0.1/film.ts"):
        with pytest.raises(InputError, match=r"can't be read|does not exist"):
            receive(address, tmp_path / "out.mkv")


def test_nobody_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="refused"):
        receive(f"http://127.0.0.1:{free_port()}/film.ts", tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == []


def test_a_local_playlist_does_not_reach_the_network(tmp_path: Path, film: Path) -> None:
    with web(film.parent) as address:
        playlist = tmp_path / "film.m3u8"
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{address}/film.ts\n#EXT-X-ENDLIST\n")
        with pytest.raises(InputError):
            streamcolor.colorize(playlist, tmp_path / "out.mkv", engine="onnxruntime")
        assert receive(str(playlist), tmp_path / "out.mkv").frames == FRAMES


def test_a_playlist_from_the_network_does_not_reach_local_files(tmp_path: Path, film: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "film.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nfile://{film}\n#EXT-X-ENDLIST\n")
    with web(folder) as address, pytest.raises(InputError):
        receive(f"{address}/film.m3u8", tmp_path / "out.mkv")


def test_a_connection_that_breaks_off_is_said(tmp_path: Path, film: Path) -> None:
    content = film.read_bytes()

    class Breaking(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            head = f"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: {len(content)}\r\n\r\n"
            self.wfile.write(head.encode() + content[: len(content) * 2 // 3])

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Breaking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        report = receive(f"http://127.0.0.1:{server.server_address[1]}/film.ts", tmp_path / "out.mkv")
        server.shutdown()
    assert 10 < report.frames < FRAMES
    assert any("could not be read to its end" in note for note in report.notes)


def test_http(tmp_path: Path, film: Path) -> None:
    with web(film.parent) as address:
        report = receive(f"{address}/film.ts", tmp_path / "out.mkv")
    assert report.frames == len(decoded(tmp_path / "out.mkv")) == FRAMES


def test_hls(tmp_path: Path, film: Path) -> None:
    strangers.ffmpeg("-i", film, "-c", "copy", "-f", "hls", "-hls_time", 1, "-hls_list_size", 0, tmp_path / "film.m3u8")
    assert len(list(tmp_path.glob("film*.ts"))) > 1
    with web(tmp_path) as address:
        report = receive(f"{address}/film.m3u8", tmp_path / "out.mkv")
    assert report.frames == FRAMES


def _send_later(film: Path, address: str) -> subprocess.Popen[bytes]:
    """ffmpeg, sending at the film's own speed when somebody listens."""
    script = f"sleep 1; exec ffmpeg -nostdin -v error -re -i '{film}' -c copy -f mpegts '{address}'"
    return subprocess.Popen(["sh", "-c", script])


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_live_transport_stream(tmp_path: Path, film: Path, protocol: str) -> None:
    address = f"{protocol}://127.0.0.1:{free_port()}"
    with _send_later(film, address):
        report = receive(address + ("?listen=1" if protocol == "tcp" else ""), tmp_path / "out.mkv", low_latency=True)
    assert report.frames == FRAMES
    assert report.longest_delay < 5


class Camera(socketserver.StreamRequestHandler):
    """The least of an RTSP 1.0 server (RFC 2326): one MPEG transport stream, in RTP within the connection itself."""

    film: Path

    def handle(self) -> None:
        answers: dict[str, Callable[[str], str]] = {
            "OPTIONS": lambda _: "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "SETUP": lambda _: "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
            "PLAY": lambda _: "Session: 1\r\n",
            "TEARDOWN": lambda _: "Session: 1\r\n",
        }
        description = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=film\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
        )
        while line := self.rfile.readline().decode():
            method = line.split(" ")[0]
            headers = {}
            while field := self.rfile.readline().decode().strip():
                name, _, value = field.partition(":")
                headers[name.lower()] = value.strip()
            status, more = "200 OK", ""
            if method == "SETUP" and "TCP" not in headers.get("transport", ""):
                status = "461 Unsupported Transport"
            elif method == "DESCRIBE":
                more = f"Content-Type: application/sdp\r\nContent-Length: {len(description)}\r\n\r\n{description}"
            else:
                more = answers[method](line)
            end = "" if method == "DESCRIBE" else "\r\n"
            self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{more}{end}".encode())
            if method == "PLAY":
                self.play()
                return

    def play(self) -> None:
        """Seven packets of the transport stream in each of RTP's (RFC 2250), framed as in RFC 2326, section 10.12."""
        content = self.film.read_bytes()
        for number, begin in enumerate(range(0, len(content), 7 * 188)):
            payload = content[begin : begin + 7 * 188]
            rtp = bytes([0x80, 33]) + number.to_bytes(2, "big") + (number * 900).to_bytes(4, "big") + b"\0\0\0\1"
            self.wfile.write(b"$\0" + (len(rtp) + len(payload)).to_bytes(2, "big") + rtp + payload)
            time.sleep(0.002)


def test_rtsp(tmp_path: Path, film: Path) -> None:
    camera = type("FilmCamera", (Camera,), {"film": film})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), camera) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        report = receive(f"rtsp://127.0.0.1:{server.server_address[1]}/film", tmp_path / "out.mkv")
        server.shutdown()
    assert report.frames >= FRAMES - 1  # the last one is known to be whole only when another follows
    assert len(strangers.streams(tmp_path / "out.mkv", "audio")) == 1
