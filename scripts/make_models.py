#!/usr/bin/env python3
"""Make two real test models from the demo model (SmolLM2-135M-Instruct, Q4_1, Apache-2.0).

    make_models.py DEMO.gguf FOLDER          needs numpy and gguf==0.19.0; scripts/test_models.sh runs it

smollm2-135m-f16.gguf    the same weights off their quantization grid (below): architecture llama, 576 wide. No k-quant
                         fits its rows, so it shows what happens to such models.
smollm2-768-qwen2.gguf   the same network as architecture qwen2, 768 wide, 12 heads of which 4 KV: its rows are multiples
                         of 256, so every type fits. Heads 9-11 of every layer are dead, and so is KV head 3.

Off the grid: the demo model's weights were already rounded to 4 bits. Rounding them again to the same grid would cost
nothing and prove nothing, so every weight gets uniform noise of half its own rounding step to either side. What comes
out is the model that comparisons take as their original.

Wider without a change: an RMS norm divides by the root of the mean square. Split 192 of the 576 channels into two
copies of weight 1/sqrt(2), and the sum of squares stays; the mean over 768 is smaller by 576/768, which the norm's own
weights take back.
"""
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

SEED = 20261123
NARROW, WIDE = 576, 768
HEAD_DIM = 64
HEADS, HEADS_KV = 9, 3            # of the demo model
WIDE_HEADS, WIDE_HEADS_KV = 12, 4
ROOT_HALF = 2**-0.5
MOSTLY_F16 = 1                    # general.file_type

BLOCK_WEIGHTS = 32
BLOCK_BYTES = {GGMLQuantizationType.Q4_1: 20, GGMLQuantizationType.Q8_0: 34}  # both begin with the step, a half float


def rounding_steps(tensor):
    """The distance between neighbouring values that each weight of a quantized tensor could take. [rows, columns]"""
    blocks = np.ascontiguousarray(tensor.data).view(np.uint8).reshape(-1, BLOCK_BYTES[tensor.tensor_type])
    step = blocks[:, :2].copy().view(np.float16).astype(np.float32).reshape(-1)
    return np.repeat(step, BLOCK_WEIGHTS).reshape(tensor.shape[1], tensor.shape[0])


def weights_off_the_grid(reader):
    """Tensor name -> float32 weights. The order of the file is the order of the random numbers."""
    rng = np.random.default_rng(SEED)
    weights = {}
    for tensor in reader.tensors:
        if tensor.tensor_type == GGMLQuantizationType.F32:
            weights[tensor.name] = np.array(tensor.data, np.float32)
            continue
        w = dequantize(tensor.data, tensor.tensor_type).reshape(tensor.shape[1], tensor.shape[0]).astype(np.float32)
        weights[tensor.name] = w + (rng.random(w.shape, np.float32) - 0.5) * rounding_steps(tensor)
    return weights


def copy_metadata(reader, writer, architecture, without=()):
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue  # the writer's own business
        key = architecture + name.removeprefix("llama") if name.startswith("llama.") else name
        if key in without:
            continue
        if field.types[0] == GGUFValueType.ARRAY:
            writer.add_key_value(key, field.contents(), GGUFValueType.ARRAY, field.types[-1])
        else:
            writer.add_key_value(key, field.contents(), field.types[0])


def write_out(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_f16(reader, weights, path):
    writer = GGUFWriter(path, "llama")
    copy_metadata(reader, writer, "llama")
    writer.add_file_type(MOSTLY_F16)
    for name, w in weights.items():
        writer.add_tensor(name, w if w.ndim == 1 else w.astype(np.float16))
    write_out(writer)


def widening():
    """channel[j]: the narrow channel that wide channel j copies; gain[j]: 1, or 1/sqrt(2) for one of two copies."""
    channel, gain = [], []
    for first in range(0, NARROW, 192):  # the first 64 of every 192 come twice
        channel += [*range(first, first + 192), *range(first, first + 64)]
        gain += [ROOT_HALF] * 64 + [1.0] * 128 + [ROOT_HALF] * 64
    return np.array(channel), np.array(gain, np.float32)


def rope_halves(w, heads):
    """Rows of Q or K from llama's rope order (neighbours turn together) to qwen2's (the halves do)."""
    return w.reshape(heads, HEAD_DIM // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


def dead_rows(w, rows):
    return np.pad(w, ((0, rows - w.shape[0]), (0, 0)))


def widened(kind, w, channel, gain):
    """One matrix of the narrow network as the wide one needs it. [rows, columns]; columns are what it reads."""
    if kind == "attn_output":  # reads the heads, writes the stream
        return np.pad(w[channel] * gain[:, None], ((0, 0), (0, WIDE - NARROW)))
    if kind == "ffn_down":
        return w[channel] * gain[:, None]
    w = w[:, channel] * gain   # all others read the stream
    if kind == "attn_q":
        return dead_rows(rope_halves(w, HEADS), WIDE_HEADS * HEAD_DIM)
    if kind == "attn_k":
        return dead_rows(rope_halves(w, HEADS_KV), WIDE_HEADS_KV * HEAD_DIM)
    if kind == "attn_v":
        return dead_rows(w, WIDE_HEADS_KV * HEAD_DIM)
    return w


def write_wide_qwen2(reader, weights, path):
    writer = GGUFWriter(path, "qwen2")
    changed = ("embedding_length", "rope.dimension_count", "attention.head_count", "attention.head_count_kv",
               "attention.layer_norm_rms_epsilon")
    copy_metadata(reader, writer, "qwen2", without=["qwen2." + key for key in changed])
    writer.add_embedding_length(WIDE)
    writer.add_head_count(WIDE_HEADS)
    writer.add_head_count_kv(WIDE_HEADS_KV)
    writer.add_layer_norm_rms_eps(reader.fields["llama.attention.layer_norm_rms_epsilon"].contents() * NARROW / WIDE)
    writer.add_file_type(MOSTLY_F16)

    channel, gain = widening()
    norm_gain = np.float32((NARROW / WIDE) ** 0.5)
    for name, w in weights.items():
        kind = name.split(".")[2] if name.startswith("blk.") else name.split(".")[0]
        if kind.endswith("norm"):
            writer.add_tensor(name, w[channel] * norm_gain)
            continue
        w = widened(kind, w, channel, gain)
        writer.add_tensor(name, w.astype(np.float16))
        if kind in ("attn_q", "attn_k", "attn_v"):  # qwen2 has biases here; ours are zero
            writer.add_tensor(name.replace(".weight", ".bias"), np.zeros(w.shape[0], np.float32))
    write_out(writer)


def main():
    demo, folder = Path(sys.argv[1]), Path(sys.argv[2])
    reader = GGUFReader(demo)
    weights = weights_off_the_grid(reader)
    write_f16(reader, weights, folder / "smollm2-135m-f16.gguf")
    write_wide_qwen2(reader, weights, folder / "smollm2-768-qwen2.gguf")


if __name__ == "__main__":
    main()
