"""Safetensors files, written and read with nothing but the standard library and torch (F32 and I64)."""

import json
import struct

import torch

_TYPES = {torch.float64: "F32", torch.float32: "F32", torch.int64: "I64"}
_STORED = {"F32": (torch.float32, 4), "I64": (torch.int64, 8)}


def prefixed(prefix, tensors):
    return {prefix + name: tensor for name, tensor in tensors.items()}


def save(path, tensors, metadata):
    """Writes named tensors; float64 is rounded to F32. Metadata values that are not strings become JSON."""
    header = {"__metadata__": {key: value if isinstance(value, str) else json.dumps(value)
                               for key, value in metadata.items()}}
    chunks, offset = [], 0
    for name, tensor in tensors.items():
        kind = _TYPES[tensor.dtype]
        data = tensor.detach().to(_STORED[kind][0]).contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def load(path):
    """Reads what save wrote: (tensors, metadata)."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        kind, size = _STORED[entry["dtype"]]
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(bytearray(content), dtype=kind, count=(end - begin) // size,
                                         offset=8 + length + begin).reshape(entry["shape"]).clone()
    return tensors, metadata
