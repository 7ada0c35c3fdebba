"""A GGUF file with the same weights in bf16, so that llama.cpp runs what the others run."""

from __future__ import annotations

import os
from pathlib import Path


def converted(source: Path, target: Path) -> Path:
    """``source``, dequantised as transformers does when it loads the file, at ``target``."""
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType
    from gguf.quants import dequantize, quantize

    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    reader = GGUFReader(source)
    writer = GGUFWriter(part, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        inner = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(name, field.contents(), field.types[0], inner)
    writer.add_file_type(LlamaFileType.MOSTLY_BF16)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if values.ndim == 1:
            # llama.cpp multiplies norms in fp32 and takes no other type for them.
            writer.add_tensor(tensor.name, values)
            continue
        kind = GGMLQuantizationType.BF16
        writer.add_tensor(tensor.name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, target)
    return target
