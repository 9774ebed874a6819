"""Films from addresses: YouTube's by pytubefix, which goes on with pytube's interface, all others by yt-dlp."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlsplit

from streamcolor.errors import DatasetError, MissingExtraError

_LOG = logging.getLogger(__name__)
#: yt-dlp logs its errors before it raises them; the exception is enough.
_SILENT = logging.Logger("yt_dlp", logging.CRITICAL)
#: Lines of picture that are enough for stills.
_LINES = 720
_YOUTUBE = ("youtube.com", "youtu.be")


def is_address(source: str) -> bool:
    """Whether a source is to be downloaded."""
    return urlsplit(source).scheme in ("http", "https")


def download(address: str, folder: Path) -> Path:
    """Fetch a film's picture into ``folder``, at 720 lines or the nearest below; returns the file.

    Raises:
        DatasetError: nothing could be fetched.
        MissingExtraError: the downloader is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    host = urlsplit(address).hostname or ""
    try:
        if any(host == name or host.endswith(f".{name}") for name in _YOUTUBE):
            return _by_pytube(address, folder)
        return _by_yt_dlp(address, folder)
    except ImportError as error:
        raise MissingExtraError(str(error.name), "train") from error


def _by_pytube(address: str, folder: Path) -> Path:
    from pytubefix import YouTube
    from pytubefix.exceptions import PytubeFixError

    try:
        streams = YouTube(address).streams.filter(type="video", subtype="mp4")
        fitting = [stream for stream in streams if int((stream.resolution or "0p").rstrip("p")) <= _LINES]
        best = max(fitting, key=lambda stream: int((stream.resolution or "0p").rstrip("p")))
        return Path(best.download(output_path=str(folder)))
    except (PytubeFixError, OSError, KeyError, ValueError) as error:
        # The site changes more often than any one tool; the other may already follow.
        _LOG.info("pytubefix can't fetch %s (%s); trying yt-dlp", address, error)
        return _by_yt_dlp(address, folder)


def _by_yt_dlp(address: str, folder: Path) -> Path:
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import YoutubeDLError

    options = {
        "format": f"bestvideo[height<={_LINES}]/best[height<={_LINES}]/best",
        "outtmpl": str(folder / "%(id)s.%(ext)s"),
        "noplaylist": True,
        "noprogress": True,
        "quiet": True,
        "logger": _SILENT,
    }
    try:
        with YoutubeDL(options) as downloader:
            found = downloader.extract_info(address)
            return Path(found["requested_downloads"][0]["filepath"])
    except (YoutubeDLError, OSError, KeyError) as error:
        raise DatasetError(f"{address} can't be downloaded: {error}; is the address right?") from error
