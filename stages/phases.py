"""Prefill and decode: the phases in which a server works on a model call, recognised by span names."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PHASES = ("prefill", "decode")

# Names as vLLM, SGLang and Text Generation Inference write them (stages/conventions.py has their sources).
_PREFILL = re.compile(r"(?i)(vllm_|chunked_)?prefill(_forward|_loop)?")
_DECODE = re.compile(r"(?i)(vllm_)?decode(_forward|_loop)?")


def phases_of(names: Sequence[str]) -> npt.NDArray[np.str_]:
    """The phase of each span name: prefill, decode, or empty."""
    return np.array(
        ["prefill" if _PREFILL.fullmatch(n) else "decode" if _DECODE.fullmatch(n) else "" for n in names], "U7"
    )
