"""What a file or a request holds, by its first bytes, where that is no UTF-8 text."""

import codecs

LOOKED_AT = 64  # bytes
_UTF8 = "save it as UTF-8 (Excel: as 'CSV UTF-8'; elsewhere: iconv -f UTF-16 -t UTF-8)"
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32", _UTF8.replace("16", "32")),
    (codecs.BOM_UTF32_BE, "UTF-32", _UTF8.replace("16", "32")),
    (codecs.BOM_UTF16_LE, "UTF-16", _UTF8),
    (codecs.BOM_UTF16_BE, "UTF-16", _UTF8),
    (b"\x1f\x8b", "compressed (gzip)", "unpack it first"),
    (b"PK\x03\x04", "an Excel workbook or another zip file", "save the sheet as 'CSV UTF-8'"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "save the sheet as 'CSV UTF-8'"),
    (b"PAR1", "Parquet", "give it the extension .parquet"),
)


def other_than_text(start: bytes) -> tuple[str, str] | None:
    """What the first `LOOKED_AT` bytes say of the content and what to do with a file of it; None for UTF-8 text."""
    for mark, what, fix in _MARKS:
        if start.startswith(mark):
            return what, fix
    return ("UTF-16 or no text at all (zero bytes)", _UTF8) if b"\0" in start[:LOOKED_AT] else None
