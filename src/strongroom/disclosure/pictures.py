"""Pictures: that they decode, and that nothing travels beside their pixels."""

from __future__ import annotations

import base64
import io
import re
import struct
import warnings
import zlib
from typing import Any, Final

from strongroom.disclosure.context import Broken, Context, TooMuch
from strongroom.disclosure.model import Locator

_PLAIN_CHUNKS: Final = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs".split())
_PLOT_LIBRARY: Final = re.compile(rb"Software\x00Matplotlib version ?[\d.]{1,12}(rc\d|\+\w{1,20})?, https?://matplotlib\.org/?")
PREVIEW_SIDE: Final = 1600


def check(context: Context, data: bytes, kind: str, place: Locator) -> None:
    """Check one PNG or JPEG picture."""
    context.add("image.look", place)
    for what in sorted(set(_png(data) if kind == "png" else _jpeg(data))):
        context.add("image.hidden", place, what)
    picture = _decode(context, data, kind)
    if picture is not None:
        _pixels(context, picture, place)


def preview(context: Context, data: bytes, kind: str) -> dict[str, Any] | None:
    """The picture rebuilt from its pixels, at most PREVIEW_SIDE wide and high; None when it cannot be decoded."""
    try:
        picture = _decode(context, data, kind)
    except (Broken, TooMuch):
        return None
    if picture is None:
        return None
    width, height = picture.size
    picture = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    picture.info = {}
    out = io.BytesIO()
    picture.save(out, "PNG")
    return {"png": base64.b64encode(out.getvalue()).decode(), "width": width, "height": height}


def _decode(context: Context, data: bytes, kind: str) -> Any:
    try:
        from PIL import Image
    except ImportError:
        context.add("file.unchecked", what="Pillow")
        return None
    limit = context.profile.limits["pixels"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=[kind.upper()])
            if picture.width * picture.height > limit:
                raise TooMuch(f"{limit} pixels in a picture")
            picture.load()
    except (TooMuch, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they meet in broken files
        if type(error).__name__ == "DecompressionBombError":
            raise TooMuch(f"{limit} pixels in a picture") from error
        raise Broken(f"{kind.upper()} picture") from error
    return picture


def _pixels(context: Context, picture: Any, place: Locator) -> None:
    if picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info:
        return
    context.tick()
    small = picture.convert("RGBA")
    alpha = small.getchannel("A")
    if alpha.getextrema()[0] > 0:
        return
    mask = alpha.point(lambda value: 255 if value == 0 else 0)
    for band in ("R", "G", "B"):
        values = [value for value, times in enumerate(small.getchannel(band).histogram(mask)) if times]
        if len(values) > 1:
            context.add("image.hidden-pixels", place)
            return


def _png(data: bytes) -> list[str]:
    found: list[str] = []
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if place + 12 + length > len(data):
            raise Broken("PNG picture, cut off")
        if zlib.crc32(name + body) != struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0]:
            raise Broken("PNG picture, checksum")
        if name in (b"acTL", b"fcTL", b"fdAT"):
            found.append("further frames")
        elif name not in _PLAIN_CHUNKS and not _harmless(name, body):
            found.append("metadata or unknown parts")
        place += 12 + length
        if name == b"IEND":
            return [*found, "data after its end"] if place < len(data) else found
    raise Broken("PNG picture, cut off")


def _harmless(name: bytes, body: bytes) -> bool:
    return name == b"iCCP" and len(body) <= 4096 or name == b"tEXt" and bool(_PLOT_LIBRARY.fullmatch(body))


def _jpeg(data: bytes) -> list[str]:
    found: list[str] = []
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            raise Broken("JPEG picture")
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xD9:
            return [*found, "data after its end"] if place + 2 < len(data) else found
        length = struct.unpack(">H", data[place + 2 : place + 4])[0]
        body = data[place + 4 : place + 2 + length]
        plain = (
            marker == 0xE0 and body.startswith(b"JFIF\x00") and len(body) <= 14
            or marker == 0xE2 and body.startswith(b"ICC_PROFILE") and len(body) <= 4096
            or marker == 0xEE and body.startswith(b"Adobe") and len(body) <= 12
        )
        if (0xE0 <= marker <= 0xEF or marker == 0xFE) and not plain:
            found.append("metadata or a comment")
        place += 2 + length
        if marker == 0xDA:
            place = _after_scan(data, place)
    if data[place : place + 2] != b"\xff\xd9":
        raise Broken("JPEG picture, cut off")
    return [*found, "data after its end"] if place + 2 < len(data) else found


def _after_scan(data: bytes, place: int) -> int:
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            raise Broken("JPEG picture, cut off")
        if data[place + 1] == 0 or 0xD0 <= data[place + 1] <= 0xD7:
            place += 2
        else:
            return place
