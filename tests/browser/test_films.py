"""The film of a session: WebM by ffmpeg where that is installed, else an animated WebP."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from browser_service import films
from browser_service.films import Frame


def test_frames_are_piped_to_ffmpeg_and_last_as_long_as_they_were_shown(tmp_path: Path) -> None:
    probe = shutil.which("ffprobe")
    if shutil.which("ffmpeg") is None or probe is None:
        pytest.skip("ffmpeg is not installed: films are animated WebP then")
    shown = [Frame(picture("red"), 10.0), Frame(picture("blue", 1280, 900), 10.5), Frame(picture("green"), 99.0)]
    film = films.make(shown, tmp_path)
    assert film is not None
    assert (film.path.name, film.media_type) == ("recording.webm", "video/webm")
    asked = [
        probe,
        "-v",
        "error",
        "-show_entries",
        "format=duration:stream=width,codec_name",
        "-of",
        "csv=p=0",
        film.path,
    ]
    told = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    assert told[0] == "vp8,800"
    assert float(told[1]) == pytest.approx(
        0.5 + 3 + 1.5, abs=0.3
    )  # what stands still is cut to 3 s, the last one to 1.5 s


def test_what_ffmpeg_does_not_take_and_where_it_is_missing_becomes_an_animated_webp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [Frame(picture("red"), 0.0), Frame(picture("blue"), 1.0)]
    refuses = tmp_path / "bin" / "ffmpeg"
    refuses.parent.mkdir()
    refuses.write_text("#!/bin/sh\nexit 1\n")
    refuses.chmod(0o755)
    for path in (tmp_path / "bin", tmp_path / "nothing"):
        monkeypatch.setenv("PATH", str(path))
        film = films.make(shown, tmp_path)
        assert film is not None
        assert film.media_type == "image/webp"
        assert getattr(Image.open(film.path), "n_frames", 1) == 2
        assert not (tmp_path / "recording.webm").exists()
    assert films.make([], tmp_path) is None


def picture(colour: str, width: int = 1280, height: int = 800) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, format="JPEG")
    return out.getvalue()
