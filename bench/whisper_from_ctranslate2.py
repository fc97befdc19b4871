"""For bench/whisper_tiny.sh: a Whisper model in CTranslate2's form as whisper.cpp reads it.

    whisper_from_ctranslate2.py FOLDER OUT.bin

FOLDER has model.bin (16-bit floats), config.json and vocabulary.txt. Both files hold the same numbers under other names:
CTranslate2 keeps query, key and value in one matrix and OpenAI's normalization as gamma and beta. What it leaves out is
computed: the filters of the spectrogram. Formats: ctranslate2/specs/model_spec.py, whisper.cpp's
models/convert-pt-to-ggml.py.
"""

import math
import struct
import sys

FLOAT16, INT16 = 4, 2  # CTranslate2's DataType


def read_variables(path):
    data, at = open(path, "rb").read(), 0

    def take(form):
        nonlocal at
        (value,) = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return value

    def take_text():
        nonlocal at
        n = take("H")
        at += n
        return data[at - n:at - 1].decode()

    version, spec, _ = take("I"), take_text(), take("I")
    if version != 6 or spec != "WhisperSpec":
        sys.exit(f"{path}: CTranslate2's version {version}, {spec}; wanted version 6, WhisperSpec")
    variables = {}
    for _ in range(take("I")):
        name = take_text()
        shape = [take("I") for _ in range(take("B"))]
        kind, n_bytes = take("B"), take("I")
        variables[name] = kind, shape, data[at:at + n_bytes]
        at += n_bytes
    return variables


def mel_filters(n_mels=80, n_fft=400, rate=16000):
    """Triangles of equal area, evenly spaced on Slaney's mel scale, as librosa.filters.mel makes them."""
    linear, log_step = 200 / 3, math.log(6.4) / 27
    to_hz = lambda mel: mel * linear if mel < 15 else 1000 * math.exp(log_step * (mel - 15))
    top = 15 + math.log(rate / 2 / 1000) / log_step
    edges = [to_hz(top * i / (n_mels + 1)) for i in range(n_mels + 2)]
    bins = [rate * i / n_fft for i in range(n_fft // 2 + 1)]
    rows = []
    for low, middle, high in zip(edges, edges[1:], edges[2:]):
        rows.append([max(0, min((f - low) / (middle - low), (high - f) / (high - middle))) * 2 / (high - low)
                     for f in bins])
    return rows


def byte_of_letter():
    """GPT-2 writes each byte of a token as a letter that can be seen."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(b): b for b in seen}
    for n, b in enumerate(b for b in range(256) if b not in seen):
        table[chr(256 + n)] = b
    return table


class Writer:
    def __init__(self, path, variables):
        self.file, self.variables = open(path, "wb"), variables

    def ints(self, *values):
        self.file.write(struct.pack(f"<{len(values)}i", *values))

    def tensor(self, name, variable, part=None, as_float32=False, column=False):
        """@param part  (i, n): the i-th of n equal pieces along the first dimension"""
        kind, shape, data = variable if isinstance(variable, tuple) else self.variables[variable]
        assert kind == FLOAT16, f"{name}: CTranslate2's type {kind}, wanted 16-bit floats"
        if part:
            i, n = part
            shape, step = [shape[0] // n, *shape[1:]], len(data) // n
            data = data[i * step:(i + 1) * step]
        if len(shape) == 1 or as_float32:
            numbers = struct.unpack(f"<{len(data) // 2}e", data)
            data, as_float32 = struct.pack(f"<{len(numbers)}f", *numbers), True
        if column:
            shape = [*shape, 1]
        label = name.encode()
        self.ints(len(shape), len(label), 0 if as_float32 else 1, *reversed(shape))
        self.file.write(label + data)

    def norm(self, name, variable):
        self.tensor(f"{name}.weight", f"{variable}/gamma")
        self.tensor(f"{name}.bias", f"{variable}/beta")

    def linear(self, name, variable, part=None, has_bias=True):
        self.tensor(f"{name}.weight", f"{variable}/weight", part)
        if has_bias:
            self.tensor(f"{name}.bias", f"{variable}/bias", part)

    def self_attention(self, name, variable):
        self.norm(f"{name}.attn_ln", f"{variable}/layer_norm")
        for i, one in enumerate(("query", "key", "value")):  # keys have no bias: what is there is 0
            self.linear(f"{name}.attn.{one}", f"{variable}/linear_0", (i, 3), has_bias=one != "key")
        self.linear(f"{name}.attn.out", f"{variable}/linear_1")

    def cross_attention(self, name, variable):
        self.norm(f"{name}.cross_attn_ln", f"{variable}/layer_norm")
        self.linear(f"{name}.cross_attn.query", f"{variable}/linear_0")
        for i, one in enumerate(("key", "value")):
            self.linear(f"{name}.cross_attn.{one}", f"{variable}/linear_1", (i, 2), has_bias=one != "key")
        self.linear(f"{name}.cross_attn.out", f"{variable}/linear_2")

    def ffn(self, name, variable):
        self.norm(f"{name}.mlp_ln", f"{variable}/layer_norm")
        self.linear(f"{name}.mlp.0", f"{variable}/linear_0")
        self.linear(f"{name}.mlp.2", f"{variable}/linear_1")


def n_layers(variables, side):
    return len({name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_") and "_norm" not in name.split("/")[1]})


def heads(variables, side):
    kind, _, data = variables[f"{side}/num_heads"]
    assert kind == INT16
    return struct.unpack("<h", data)[0]


def main(folder, out):
    variables = read_variables(f"{folder}/model.bin")
    words = open(f"{folder}/vocabulary.txt", encoding="utf-8").read().split("\n")
    shape = lambda name: variables[name][1]
    n_vocab, n_text_state = shape("decoder/embeddings/weight")
    n_audio_ctx, n_audio_state = shape("encoder/position_encodings/encodings")
    n_text_ctx, n_mels = shape("decoder/position_encodings/encodings")[0], shape("encoder/conv1/weight")[1]
    n_audio_layer, n_text_layer = n_layers(variables, "encoder"), n_layers(variables, "decoder")
    writer = Writer(out, variables)
    writer.ints(0x67676D6C, n_vocab, n_audio_ctx, n_audio_state, heads(variables, "encoder"), n_audio_layer, n_text_ctx,
                n_text_state, heads(variables, "decoder"), n_text_layer, n_mels, 1)
    filters = mel_filters(n_mels)
    writer.ints(n_mels, len(filters[0]))
    for row in filters:
        writer.file.write(struct.pack(f"<{len(row)}f", *row))
    # whisper.cpp adds the tokens behind the end of text itself.
    letters, n_tokens = byte_of_letter(), words.index("<|endoftext|>") + 1
    writer.ints(n_tokens)
    for word in words[:n_tokens]:
        token = word.encode() if word == "<|endoftext|>" else bytes(letters[letter] for letter in word)
        writer.file.write(struct.pack("<I", len(token)) + token)
    writer.tensor("encoder.positional_embedding", "encoder/position_encodings/encodings", as_float32=True)
    for i in (1, 2):
        writer.tensor(f"encoder.conv{i}.weight", f"encoder/conv{i}/weight")
        writer.tensor(f"encoder.conv{i}.bias", f"encoder/conv{i}/bias", column=True)
    for i in range(n_audio_layer):
        writer.self_attention(f"encoder.blocks.{i}", f"encoder/layer_{i}/self_attention")
        writer.ffn(f"encoder.blocks.{i}", f"encoder/layer_{i}/ffn")
    writer.norm("encoder.ln_post", "encoder/layer_norm")
    writer.tensor("decoder.positional_embedding", "decoder/position_encodings/encodings", as_float32=True)
    writer.tensor("decoder.token_embedding.weight", "decoder/embeddings/weight")
    for i in range(n_text_layer):
        writer.self_attention(f"decoder.blocks.{i}", f"decoder/layer_{i}/self_attention")
        writer.cross_attention(f"decoder.blocks.{i}", f"decoder/layer_{i}/attention")
        writer.ffn(f"decoder.blocks.{i}", f"decoder/layer_{i}/ffn")
    writer.norm("decoder.ln", "decoder/layer_norm")
    writer.file.close()


main(*sys.argv[1:])
