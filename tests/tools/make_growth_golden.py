#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/growth.safetensors: a tiny GPT-2, and what published methods of growth make of it.

Every tensor is written out by its name, in NumPy, from the papers' formulas and from what their authors' code says where the papers
leave something open. Conv1D weights are [in, out]. Needs python3-torch, for the file; run from anywhere.
"""

import os

import numpy as np
import torch

from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden", "growth.safetensors")

L, C, H, I, T, V = 2, 8, 2, 6, 4, 5  # layers, width, heads, feed-forward width, positions, vocabulary
D = C // H  # a head
CONFIG = {"model_type": "gpt2", "n_layer": L, "n_embd": C, "n_head": H, "n_inner": I, "n_positions": T, "vocab_size": V,
          "layer_norm_epsilon": 1e-5, "tie_word_embeddings": False}
ANY = np.nan  # where a method leaves the value open

# How LEMON's copies of each unit share it: any numbers would do that add up to 1. These are what Espalier's seed 5 deals out.
SHARES = {
    "hidden": [  # 16 units: two rounds of 8; 4 more are the mean
        0.607372269, 0.632284164, 0.449478998, 0.45732848, 0.412226618, 0.588425457, 0.57289855, 0.293108208,
        0.392627731, 0.367715836, 0.550521002, 0.54267152, 0.587773382, 0.411574543, 0.42710145, 0.706891792,
    ],
    "heads": [  # 5 heads, made from 2
        0.280627689, 0.548262, 0.296115226, 0.451738, 0.423257085,
    ],
    "ffn": [  # 15 units, made from 6
        0.327595496, 0.27369009, 0.255768323, 0.402874732, 0.538638644, 0.495608571, 0.312376466, 0.231987543,
        0.414410252, 0.597125268, 0.461361356, 0.504391429, 0.360028038, 0.494322368, 0.329821425,
    ],
}


def source(seed):
    draw = np.random.default_rng(seed).standard_normal
    model = {"transformer.wte.weight": draw((V, C)), "transformer.wpe.weight": draw((T, C))}
    for i in range(L):
        model.update({f"transformer.h.{i}.{name}": draw(shape) for name, shape in {
            "ln_1.weight": C, "ln_1.bias": C, "attn.c_attn.weight": (C, 3 * C), "attn.c_attn.bias": 3 * C,
            "attn.c_proj.weight": (C, C), "attn.c_proj.bias": C, "ln_2.weight": C, "ln_2.bias": C,
            "mlp.c_fc.weight": (C, I), "mlp.c_fc.bias": I, "mlp.c_proj.weight": (I, C), "mlp.c_proj.bias": C}.items()})
    model.update({"transformer.ln_f.weight": draw(C), "transformer.ln_f.bias": draw(C), "lm_head.weight": draw((V, C))})
    return {name: value.astype(np.float32).astype(np.float64) for name, value in model.items()}


def layer(model, i):
    start = f"transformer.h.{i}."
    return {name[len(start):]: value for name, value in model.items() if name.startswith(start)}


def whole(embeddings, layers, end):
    model = {f"transformer.{name}.weight": value for name, value in embeddings.items()}
    for i, tensors in enumerate(layers):
        model.update({f"transformer.h.{i}.{name}": value for name, value in tensors.items()})
    return {**model, **end}


def per_part(f, fused):
    """f of queries, keys and values apart, which lie side by side along the last axis."""
    return np.concatenate([f(part) for part in np.split(fused, 3, axis=-1)], axis=-1)


def staged_width(model, is_average=False, is_square=False):
    """Staged Training: diagonal blocks; averages by 2, averages of squares by 4; the last norm halved, its averages whole."""
    by = 4 if is_square else 2 if is_average else 1
    block = lambda w: np.block([[w, np.zeros_like(w)], [np.zeros_like(w), w]]) / by
    twice = lambda v: np.concatenate([v, v], axis=-1) / by
    layers = []
    for i in range(L):
        w = layer(model, i)
        layers.append({
            "ln_1.weight": twice(w["ln_1.weight"]), "ln_1.bias": twice(w["ln_1.bias"]),
            "attn.c_attn.weight": per_part(block, w["attn.c_attn.weight"]),
            "attn.c_attn.bias": per_part(twice, w["attn.c_attn.bias"]),
            "attn.c_proj.weight": block(w["attn.c_proj.weight"]), "attn.c_proj.bias": twice(w["attn.c_proj.bias"]),
            "ln_2.weight": twice(w["ln_2.weight"]), "ln_2.bias": twice(w["ln_2.bias"]),
            "mlp.c_fc.weight": block(w["mlp.c_fc.weight"]), "mlp.c_fc.bias": twice(w["mlp.c_fc.bias"]),
            "mlp.c_proj.weight": block(w["mlp.c_proj.weight"]), "mlp.c_proj.bias": twice(w["mlp.c_proj.bias"])})
    norm = by if is_average or is_square else 0.5
    return whole({"wte": twice(model["transformer.wte.weight"]), "wpe": twice(model["transformer.wpe.weight"])}, layers,
                 {f"transformer.ln_f.{v}": norm * twice(model[f"transformer.ln_f.{v}"]) for v in ("weight", "bias")})


def same_outside(model, layers):
    return whole({"wte": model["transformer.wte.weight"], "wpe": model["transformer.wpe.weight"]}, layers,
                 {name: model[name] for name in ("transformer.ln_f.weight", "transformer.ln_f.bias", "lm_head.weight")})


def staged_depth(model):
    """Staged Training, alternating: above each layer a copy whose vectors are 0, which makes it the identity."""
    layers = []
    for i in range(L):
        w = layer(model, i)
        layers += [w, {name: value if value.ndim == 2 else 0 * value for name, value in w.items()}]
    return same_outside(model, layers)


def stack(model, count):
    """Gong et al.: the layers again and again; the last, unfinished round is the top of them, as MSLT appends it."""
    layers = [layer(model, i) for i in range(L)]
    return same_outside(model, layers * (count // L) + layers[L - count % L:])


def hyper_cloning(model, n, m):
    """W' = tile(W) / how often its inputs stand there; hidden size n times, feed-forward layer m times."""
    layers = []
    for i in range(L):
        w = layer(model, i)
        layers.append({
            "ln_1.weight": np.tile(w["ln_1.weight"], n), "ln_1.bias": np.tile(w["ln_1.bias"], n),
            "attn.c_attn.weight": per_part(lambda p: np.tile(p, (n, n)) / n, w["attn.c_attn.weight"]),
            "attn.c_attn.bias": per_part(lambda p: np.tile(p, n), w["attn.c_attn.bias"]),
            "attn.c_proj.weight": np.tile(w["attn.c_proj.weight"], (n, n)) / n, "attn.c_proj.bias": np.tile(w["attn.c_proj.bias"], n),
            "ln_2.weight": np.tile(w["ln_2.weight"], n), "ln_2.bias": np.tile(w["ln_2.bias"], n),
            "mlp.c_fc.weight": np.tile(w["mlp.c_fc.weight"], (n, m)) / n, "mlp.c_fc.bias": np.tile(w["mlp.c_fc.bias"], m),
            "mlp.c_proj.weight": np.tile(w["mlp.c_proj.weight"], (m, n)) / m, "mlp.c_proj.bias": np.tile(w["mlp.c_proj.bias"], n)})
    return whole({"wte": np.tile(model["transformer.wte.weight"], n), "wpe": np.tile(model["transformer.wpe.weight"], n)}, layers, {
        "transformer.ln_f.weight": np.tile(model["transformer.ln_f.weight"], n),
        "transformer.ln_f.bias": np.tile(model["transformer.ln_f.bias"], n),
        "lm_head.weight": np.tile(model["lm_head.weight"], (1, n)) / n})


def longer(x, size, axis, rest=None):
    """x, then itself again up to a size; or the beginning of another of its shape for what is beyond x."""
    more = x if rest is None else rest
    rounds = [x] + [more] * (size // x.shape[axis])
    return np.take(np.concatenate(rounds, axis), range(size), axis)


def divided(x, size):
    """The rows of x again up to a size, each divided by how often it stands there."""
    old = x.shape[0]
    times = np.array([sum(1 for j in range(size) if j % old == i % old) for i in range(size)])
    return longer(x, size, 0) / times[:, None]


def bert2bert(model, width, ffn, is_aki):
    """FPI, with g cyclic: U[i, j] = W[g(i), g(j)] / the copies of g(i). AKI: its columns beyond W's are of the layer above."""
    layers = []
    for i in range(L):
        w, above = layer(model, i), layer(model, min(i + 1, L - 1)) if is_aki else layer(model, i)
        out = lambda name, size: longer(w[name], size, -1, above[name])
        parts = lambda tensors, name: np.split(tensors[name], 3, axis=-1)
        heads = lambda name: np.concatenate(
            [longer(p, width, -1, q) for p, q in zip(parts(w, name), parts(above, name))], axis=-1)
        layers.append({
            "ln_1.weight": longer(w["ln_1.weight"], width, 0), "ln_1.bias": longer(w["ln_1.bias"], width, 0),
            "attn.c_attn.weight": divided(heads("attn.c_attn.weight"), width), "attn.c_attn.bias": heads("attn.c_attn.bias"),
            "attn.c_proj.weight": divided(out("attn.c_proj.weight", width), width), "attn.c_proj.bias": out("attn.c_proj.bias", width),
            "ln_2.weight": longer(w["ln_2.weight"], width, 0), "ln_2.bias": longer(w["ln_2.bias"], width, 0),
            "mlp.c_fc.weight": divided(out("mlp.c_fc.weight", ffn), width), "mlp.c_fc.bias": out("mlp.c_fc.bias", ffn),
            "mlp.c_proj.weight": divided(out("mlp.c_proj.weight", width), ffn), "mlp.c_proj.bias": out("mlp.c_proj.bias", width)})
    return whole({e: longer(model[f"transformer.{e}.weight"], width, 1) for e in ("wte", "wpe")}, layers, {
        **{f"transformer.ln_f.{v}": longer(model[f"transformer.ln_f.{v}"], width, 0) for v in ("weight", "bias")},
        "lm_head.weight": divided(model["lm_head.weight"].T, width).T})


def lemon(model, width, ffn):
    """Copies in turn that share unequally; the hidden units of an unfinished round are the mean of all (average expansion)."""
    whole_rounds, means = width // C * C, width % C
    heads = width // D
    eta = np.sqrt(whole_rounds / width)
    hidden = lambda x: np.concatenate(
        [np.tile(x, whole_rounds // C)] + [x.mean(-1, keepdims=True)] * means, axis=-1)  # what makes the stream
    reads = lambda w: np.concatenate([  # [in, out]: shares of the copies, and whatever one likes of the means
        np.tile(w, (whole_rounds // C, 1)) * np.array(SHARES["hidden"])[:, None], np.full((means, w.shape[1]), ANY)])
    gain = lambda x: np.concatenate([eta * np.tile(x, whole_rounds // C), np.full(means, ANY)])
    shift = lambda x: np.concatenate([np.tile(x, whole_rounds // C), np.zeros(means)])
    by_head = lambda x: longer(x.reshape(*x.shape[:-1], H, D), heads, x.ndim - 1).reshape(*x.shape[:-1], heads * D)
    layers = []
    for i in range(L):
        w = layer(model, i)
        of_heads = longer(w["attn.c_proj.weight"].reshape(H, D, C), heads, 0) * np.array(SHARES["heads"])[:, None, None]
        layers.append({
            "ln_1.weight": gain(w["ln_1.weight"]), "ln_1.bias": shift(w["ln_1.bias"]),
            "attn.c_attn.weight": reads(per_part(by_head, w["attn.c_attn.weight"])),
            "attn.c_attn.bias": per_part(by_head, w["attn.c_attn.bias"]),
            "attn.c_proj.weight": hidden(of_heads.reshape(heads * D, C)), "attn.c_proj.bias": hidden(w["attn.c_proj.bias"]),
            "ln_2.weight": gain(w["ln_2.weight"]), "ln_2.bias": shift(w["ln_2.bias"]),
            "mlp.c_fc.weight": reads(longer(w["mlp.c_fc.weight"], ffn, 1)), "mlp.c_fc.bias": longer(w["mlp.c_fc.bias"], ffn, 0),
            "mlp.c_proj.weight": hidden(longer(w["mlp.c_proj.weight"], ffn, 0) * np.array(SHARES["ffn"])[:, None]),
            "mlp.c_proj.bias": hidden(w["mlp.c_proj.bias"])})
    return whole({e: hidden(model[f"transformer.{e}.weight"]) for e in ("wte", "wpe")}, layers, {
        "transformer.ln_f.weight": gain(model["transformer.ln_f.weight"]), "transformer.ln_f.bias": shift(model["transformer.ln_f.bias"]),
        "lm_head.weight": reads(model["lm_head.weight"].T).T})


def in_the_middle(x, *shape):
    """ModernBERT's released code: the old tensor in the middle, going on on both sides as if it were a ring."""
    for axis, size in enumerate(shape):
        below = (size - x.shape[axis]) // 2
        x = np.take(x, [i % x.shape[axis] for i in range(-below, size - below)], axis)
    return x


def center_tiling(model, width, ffn, count):
    def tiled(w):
        return {
            "ln_1.weight": in_the_middle(w["ln_1.weight"], width), "ln_1.bias": in_the_middle(w["ln_1.bias"], width),
            "attn.c_attn.weight": per_part(lambda p: in_the_middle(p, width, width), w["attn.c_attn.weight"]),
            "attn.c_attn.bias": per_part(lambda p: in_the_middle(p, width), w["attn.c_attn.bias"]),
            "attn.c_proj.weight": in_the_middle(w["attn.c_proj.weight"], width, width),
            "attn.c_proj.bias": in_the_middle(w["attn.c_proj.bias"], width),
            "ln_2.weight": in_the_middle(w["ln_2.weight"], width), "ln_2.bias": in_the_middle(w["ln_2.bias"], width),
            "mlp.c_fc.weight": in_the_middle(w["mlp.c_fc.weight"], width, ffn), "mlp.c_fc.bias": in_the_middle(w["mlp.c_fc.bias"], ffn),
            "mlp.c_proj.weight": in_the_middle(w["mlp.c_proj.weight"], ffn, width),
            "mlp.c_proj.bias": in_the_middle(w["mlp.c_proj.bias"], width)}
    return whole(
        {"wte": in_the_middle(model["transformer.wte.weight"], V, width), "wpe": in_the_middle(model["transformer.wpe.weight"], T, width)},
        [tiled(layer(model, round(i * L / count))) for i in range(count)], {
            "transformer.ln_f.weight": in_the_middle(model["transformer.ln_f.weight"], width),
            "transformer.ln_f.bias": in_the_middle(model["transformer.ln_f.bias"], width),
            "lm_head.weight": in_the_middle(model["lm_head.weight"], V, width)})


def zero_pad(model, width, ffn):
    """SZP without its fresh weights: 0.4 times matrices, beside zeros. Vectors, which it does not speak of, are left out."""
    pad = lambda w, rows, columns: 0.4 * np.pad(w, ((0, rows - w.shape[0]), (0, columns - w.shape[1])))
    layers = [{
        "attn.c_attn.weight": per_part(lambda p: pad(p, width, width), w["attn.c_attn.weight"]),
        "attn.c_proj.weight": pad(w["attn.c_proj.weight"], width, width), "mlp.c_fc.weight": pad(w["mlp.c_fc.weight"], width, ffn),
        "mlp.c_proj.weight": pad(w["mlp.c_proj.weight"], ffn, width)} for w in (layer(model, i) for i in range(L))]
    return whole({"wte": pad(model["transformer.wte.weight"], V, width), "wpe": pad(model["transformer.wpe.weight"], T, width)}, layers,
                 {"lm_head.weight": pad(model["lm_head.weight"], V, width)})


def main():
    model, average, square = source(1), source(2), {name: value ** 2 for name, value in source(3).items()}
    square = {name: value.astype(np.float32).astype(np.float64) for name, value in square.items()}
    cases = {
        "param": model, "exp_avg": average, "exp_avg_sq": square,
        "staged-width": staged_width(model), "staged-width.exp_avg": staged_width(average, is_average=True),
        "staged-width.exp_avg_sq": staged_width(square, is_square=True),
        "staged-depth": staged_depth(model), "stack": stack(model, 5), "hyper-cloning": hyper_cloning(model, 3, 2),
        "net2net": bert2bert(model, 12, 11, is_aki=False), "aki": bert2bert(model, 12, 11, is_aki=True),
        "lemon": lemon(model, 20, 15), "center-tiling": center_tiling(model, 16, 11, 3), "zero-pad": zero_pad(model, 12, 11)}
    tensors = {}
    for case, values in cases.items():
        tensors.update(prefixed(case + ".", {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in values.items()}))
    save(GOLDEN, tensors, {
        "about": "param.NAME: a GPT-2; exp_avg and exp_avg_sq: what an optimizer remembers of it. CASE.NAME: what it grows to, "
                 "where staged-width has a tied head and no lm_head. NaN: where the method leaves the value open. "
                 "zero-pad is without its fresh weights.",
        "config": CONFIG, "shares": SHARES})


if __name__ == "__main__":
    main()
