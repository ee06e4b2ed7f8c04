"""What every answer of the server tells browsers: no frames, no scripts but its own, no word to other sites."""

import base64
import hashlib
import re
from pathlib import Path

# Plotly and the code editor write style attributes, charts are images made in the page, workers come as blobs. Streamlit's
# own scripts run without `unsafe-eval`; WebAssembly (Arrow) has a word of its own.
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob: {hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self' {sockets}; "
    "worker-src 'self' blob:; frame-src 'none'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)
HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?")


def inline_hashes() -> str:
    """The hashes of the scripts that stand in Streamlit's page itself."""
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)


def security_headers(host: str, hashes: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer to a request for `host`, whose websockets a page may open."""
    sockets = f"ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
    policy = _POLICY.format(hashes=hashes, sockets=sockets)
    return [
        (b"content-security-policy", policy.encode("ascii")),
        (b"x-frame-options", b"DENY"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    ]
