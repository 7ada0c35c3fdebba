"""JSON that the page's script unpacks: zlib's format (``deflate`` of the browsers'
DecompressionStream) in base64, whose alphabet cannot end a script element."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

Block = tuple[str, str]
"""Element id and content."""


def pack(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A lone surrogate has no UTF-8; the browser shows what stands for it.
    data = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")
