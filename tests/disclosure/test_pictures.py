"""Pictures: clean ones are for people, those that carry something fail."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from strongroom.disclosure import examine, load
from tests.disclosure.helpers import findings, rules, verdict
from tests.proves import proves


def picture(kind: str = "PNG", mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (20, 10)).save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunk(data: bytes, name: bytes, body: bytes) -> bytes:
    end = data.index(b"IEND") - 4
    return data[:end] + chunk(name, body) + data[end:]


def texted(key: str, value: str, *, packed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text(key, value, zip=packed)
    return picture(pnginfo=info)


PLOT = "Matplotlib version3.10.0, https://matplotlib.org/"


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.png", picture()),
        ("a.jpg", picture("JPEG")),
        ("a.jpeg", picture("JPEG", progressive=True)),
        ("a.png", picture(dpi=(100, 100))),
        ("a.png", texted("Software", PLOT)),
        ("a.png", picture(mode="P")),
        ("a.png", picture(mode="RGBA")),
        ("a.png", picture(mode="L")),
    ],
)
def test_clean_pictures_are_for_people(file: str, data: bytes) -> None:
    assert rules(file, data) == {"image.look"}


@proves("U23")
@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.png", texted("Comment", "1,2,3")),
        ("a.png", texted("Software", PLOT + " 1,2,3")),
        ("a.png", texted("Data", "1" * 4000, packed=True)),
        ("a.png", picture() + b"trailing"),
        ("a.png", with_chunk(picture(), b"prVt", b"1,2,3")),
        ("a.png", with_chunk(picture(), b"eXIf", b"MM\0*")),
        ("a.png", picture(save_all=True, append_images=[Image.new("RGB", (20, 10), "red")])),
        ("a.jpg", picture("JPEG", comment=b"1,2,3")),
        ("a.jpg", picture("JPEG") + b"1,2,3"),
        ("a.jpg", picture("JPEG", exif=Image.Exif())[:2] + b"\xff\xe1\x00\x08Exif\0\0" + picture("JPEG")[2:]),
    ],
)
def test_what_travels_beside_the_pixels_fails(file: str, data: bytes) -> None:
    assert "image.hidden" in rules(file, data)
    assert verdict(file, data) == "fail"


def test_colours_under_transparency_are_told() -> None:
    image = Image.new("RGBA", (20, 10), (255, 255, 255, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    assert "image.hidden-pixels" not in rules("a.png", out.getvalue())
    image.putpixel((3, 3), (7, 8, 9, 0))
    out = io.BytesIO()
    image.save(out, "PNG")
    assert "image.hidden-pixels" in rules("a.png", out.getvalue())


@pytest.mark.parametrize(
    "data",
    [
        picture()[:40],
        picture()[:-6],
        picture().replace(b"IDAT", b"IDAX"),
        b"\x89PNG\r\n\x1a\n",
        picture()[:60] + b"x" + picture()[61:],
    ],
)
def test_broken_png_fails(data: bytes) -> None:
    assert verdict("a.png", data) == "fail"


@pytest.mark.parametrize("data", [picture("JPEG")[:200], b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\xff\xd8\xff\xd9"])
def test_broken_jpeg_fails(data: bytes) -> None:
    assert verdict("a.jpg", data) == "fail"


def test_a_picture_bomb_is_a_finding() -> None:
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
        + chunk(b"IEND", b"")
    )
    assert "file.limit" in {item.rule for item in findings("a.png", data)}


def test_previews_are_rebuilt_from_pixels() -> None:
    _, _, shown = examine(load(), "a.png", texted("Comment", "secret 1,2,3") + b"tail", previewed=True)
    assert shown is not None
    import base64

    rebuilt = base64.b64decode(shown["images"][0]["png"])
    assert (shown["images"][0]["width"], shown["images"][0]["height"]) == (20, 10)
    assert b"secret" not in rebuilt and b"tail" not in rebuilt
    assert rules("a.png", rebuilt) == {"image.look"}


def test_a_large_picture_is_shown_small() -> None:
    out = io.BytesIO()
    Image.new("L", (4000, 100)).save(out, "PNG")
    _, _, shown = examine(load(), "a.png", out.getvalue(), previewed=True)
    assert shown is not None
    assert shown["images"][0]["width"] == 4000
