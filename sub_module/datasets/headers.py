"""How much there is to an image's header, counted before Pillow reads it.

Pillow walks over a header in Python and keeps what it finds. In a file of some megabytes that is
nothing but the smallest entries this takes half a minute and gigabytes.
"""

from __future__ import annotations

import struct

# Of cameras: tens; a profile or a panorama's notes, in pieces of 64 kB: hundreds.
_MAX_JPEG_SEGMENTS = 2_000
# Written in pieces of 8 kB, the pixels of a large image are thousands.
_MAX_PNG_CHUNKS = 20_000
# A TIFF has a number or two for each of its strips, and colour maps of 3 x 65536.
_MAX_TIFF_NUMBERS = 200_000
_TIFF_BYTES = (1, 2, 6, 7)  # types whose values Pillow keeps as they are
# A progressive JPEG has about ten; each costs a pass over all of its pixels, and a few bytes.
_MAX_JPEG_SCANS = 64


def check_header(data: bytes) -> None:
    """Look at the header of a JPEG, PNG or TIFF; those of other kinds have no lists.

    What is damaged is left to Pillow to tell.

    Raises:
        ValueError: It has more entries than any real image.
    """
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    elif data.startswith(b"\x89PNG"):
        _check_png(data)
    elif data[:2] in (b"II", b"MM"):
        _check_tiff(data, "<" if data[:1] == b"I" else ">")


def _check_jpeg(data: bytes) -> None:
    at = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        marker = data[at + 1 : at + 2]
        if data[at : at + 1] != b"\xff" or not marker or marker == b"\xda":
            break
        if marker == b"\xff":
            at += 1
        elif marker == b"\x00" or 0xD0 <= marker[0] <= 0xD9:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    else:
        raise ValueError(f"its header has more than {_MAX_JPEG_SEGMENTS} segments")
    # Markers: within compressed data these two bytes do not follow each other.
    scans = data.count(b"\xff\xda", at)
    if scans > _MAX_JPEG_SCANS:
        raise ValueError(f"it has {scans} scans, more than {_MAX_JPEG_SCANS}")


def _check_png(data: bytes) -> None:
    at = 8
    for _ in range(_MAX_PNG_CHUNKS):
        if at >= len(data):
            return
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    raise ValueError(f"it has more than {_MAX_PNG_CHUNKS} chunks")


def _check_tiff(data: bytes, order: str) -> None:
    big = data[2:4] == struct.pack(f"{order}H", 43)
    head, entry = (f"{order}Q", f"{order}HHQQ") if big else (f"{order}H", f"{order}HHLL")
    try:
        (at,) = struct.unpack_from(f"{order}{'Q' if big else 'L'}", data, 8 if big else 4)
        (entries,) = struct.unpack_from(head, data, at)
        at += struct.calcsize(head)
        numbers = 0
        for n in range(min(entries, 65_536)):
            place = at + n * struct.calcsize(entry)
            _, kind, count, _ = struct.unpack_from(entry, data, place)
            numbers += 0 if kind in _TIFF_BYTES else count
    except struct.error:
        return
    if numbers > _MAX_TIFF_NUMBERS:
        raise ValueError(f"its header has {numbers} numbers, more than {_MAX_TIFF_NUMBERS}")
