"""Makes a film of the frames of a session: WebM where ffmpeg is installed, else an animated WebP. Blocks."""

import io
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageOps

_WIDTH_PX = 800
_THUMBNAIL_WIDTH_PX = 320
_LONGEST_FRAME_S = 3.0
_SHORTEST_FRAME_S = 0.1
_LAST_FRAME_S = 1.5
_FFMPEG_TIMEOUT_S = 120.0
_FPS = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture (JPEG or PNG) of the page, and when it was taken, in seconds of any clock."""

    content: bytes
    at_s: float


@dataclass(frozen=True, slots=True)
class Film:
    """A film's bytes in a file, and what they are."""

    path: Path
    media_type: str


def make(frames: Sequence[Frame], folder: Path) -> Film | None:
    """Write the film of `frames` into `folder`; None when there are no frames. What stands still is cut short."""
    if not frames:
        return None
    durations_s = [
        min(_LONGEST_FRAME_S, max(_SHORTEST_FRAME_S, after.at_s - frame.at_s)) for frame, after in pairwise(frames)
    ] + [_LAST_FRAME_S]
    if (ffmpeg := shutil.which("ffmpeg")) is not None:
        film = folder / "recording.webm"
        if _encode(ffmpeg, frames, durations_s, film):
            return Film(film, "video/webm")
    film = folder / "recording.webp"
    first = _scaled(frames[0].content, _WIDTH_PX)
    pictures = [first, *(ImageOps.fit(_scaled(frame.content, _WIDTH_PX), first.size) for frame in frames[1:])]
    pictures[0].save(
        film,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=[round(duration * 1000) for duration in durations_s],
        quality=50,
        method=1,
        loop=0,
    )
    return Film(film, "image/webp")


def make_thumbnail(picture: bytes) -> bytes:
    """Return a small WebP of a picture."""
    out = io.BytesIO()
    _scaled(picture, _THUMBNAIL_WIDTH_PX).save(out, format="WEBP", quality=60, method=1)
    return out.getvalue()


def _scaled(content: bytes, width_px: int) -> Image.Image:
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    height_px = max(1, min(2 * width_px, round(picture.height * width_px / picture.width)))
    return ImageOps.fit(picture, (width_px, height_px), Image.Resampling.BILINEAR)


def _encode(ffmpeg: str, frames: Sequence[Frame], durations_s: Sequence[float], film: Path) -> bool:
    """Pipe the frames to ffmpeg; False if it does not take them."""
    command = [ffmpeg, "-loglevel", "error", "-y", "-f", "image2pipe", "-framerate", str(_FPS), "-i", "-"]
    # One thread: several wait for each other in loops, which costs ten times the time. What stands still is dropped.
    command += [
        "-c:v",
        "libvpx",
        "-b:v",
        "1M",
        "-crf",
        "30",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-threads",
        "1",
    ]
    scaled = f"mpdecimate=max={_FPS},scale={_WIDTH_PX}:-2:flags=fast_bilinear"
    command += ["-vf", scaled, "-fps_mode", "vfr", "-threads", "1", "-pix_fmt", "yuv420p", str(film)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        too_late = threading.Timer(_FFMPEG_TIMEOUT_S, process.kill)
        too_late.start()
        try:
            for frame, duration_s in zip(frames, durations_s, strict=True):
                for _ in range(max(1, round(duration_s * _FPS))):
                    process.stdin.write(frame.content)
            process.stdin.close()
            if process.wait() == 0:
                return True
        except OSError:  # it went away before the last frame
            process.kill()
        finally:
            too_late.cancel()
    film.unlink(missing_ok=True)
    return False
