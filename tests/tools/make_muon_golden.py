#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/muon-gpt2.safetensors and muon-bert.safetensors: updates of optimizers that PyTorch has not.

Every tensor is updated by its name: which are matrices, which way round they lie and how queries, keys and values lie in one is
written out here. Needs python3-torch; run from anywhere: tests/tools/make_muon_golden.py
"""

import math
import os

import torch

from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

C, I, T, V = 6, 10, 4, 9  # width, feed-forward width, positions, vocabulary
RATES = [0.02, 0.05, 0.01]
MOMENTUM, BETA1, BETA2, EPSILON = 0.95, 0.9, 0.99, 1e-8
CASES = {
    "muon-rms": {"rule": "muon", "update_scale": "rms", "weight_decay": 0.1, "clip_norm": 1.0, "adamw_rate": 1.0},
    "muon-spectral": {"rule": "muon", "update_scale": "spectral", "weight_decay": 0.2, "clip_norm": 0.0, "adamw_rate": 0.15},
    "muon-nsgd": {"rule": "muon-nsgd", "update_scale": "spectral", "weight_decay": 0.1, "clip_norm": 0.0},
    "sgd": {"rule": "sgd", "weight_decay": 0.1, "clip_norm": 1.0, "momentum": 0.9},
}

GPT2 = {"model_type": "gpt2", "n_layer": 1, "n_embd": C, "n_head": 2, "n_inner": I, "n_positions": T, "vocab_size": V,
        "layer_norm_epsilon": 1e-5, "tie_word_embeddings": False}
BERT = {"model_type": "bert", "num_hidden_layers": 1, "hidden_size": C, "num_attention_heads": 2, "intermediate_size": I,
        "max_position_embeddings": T, "vocab_size": V, "type_vocab_size": 2, "layer_norm_eps": 1e-12}

# What maps from in to out, of each matrix that stands in a tensor: (layout, in, out, how many side by side along out).
GPT2_LAYER = {"attn.c_attn.weight": ("in,out", C, C, 3), "attn.c_proj.weight": ("in,out", C, C, 1),
              "mlp.c_fc.weight": ("in,out", C, I, 1), "mlp.c_proj.weight": ("in,out", I, C, 1)}
GPT2_REST = {"transformer.wte.weight": ("in,out", V, C, 1), "transformer.wpe.weight": ("in,out", T, C, 1),
             "lm_head.weight": ("out,in", C, V, 1)}
GPT2_VECTORS = {"transformer.h.0.ln_1.weight": C, "transformer.h.0.ln_1.bias": C, "transformer.h.0.attn.c_attn.bias": 3 * C,
                "transformer.h.0.attn.c_proj.bias": C, "transformer.h.0.ln_2.weight": C, "transformer.h.0.ln_2.bias": C,
                "transformer.h.0.mlp.c_fc.bias": I, "transformer.h.0.mlp.c_proj.bias": C,
                "transformer.ln_f.weight": C, "transformer.ln_f.bias": C}
BERT_LAYER = {"attention.self.query.weight": ("out,in", C, C, 1), "attention.self.key.weight": ("out,in", C, C, 1),
              "attention.self.value.weight": ("out,in", C, C, 1), "attention.output.dense.weight": ("out,in", C, C, 1),
              "intermediate.dense.weight": ("out,in", C, I, 1), "output.dense.weight": ("out,in", I, C, 1)}
BERT_REST = {"bert.embeddings.word_embeddings.weight": ("in,out", V, C, 1),
             "bert.embeddings.position_embeddings.weight": ("in,out", T, C, 1),
             "bert.embeddings.token_type_embeddings.weight": ("in,out", 2, C, 1),
             "cls.predictions.transform.dense.weight": ("out,in", C, C, 1)}
_L = "bert.encoder.layer.0."
BERT_VECTORS = {"bert.embeddings.LayerNorm.weight": C, "bert.embeddings.LayerNorm.bias": C,
                _L + "attention.self.query.bias": C, _L + "attention.self.key.bias": C, _L + "attention.self.value.bias": C,
                _L + "attention.output.dense.bias": C, _L + "attention.output.LayerNorm.weight": C,
                _L + "attention.output.LayerNorm.bias": C, _L + "intermediate.dense.bias": I, _L + "output.dense.bias": C,
                _L + "output.LayerNorm.weight": C, _L + "output.LayerNorm.bias": C,
                "cls.predictions.transform.dense.bias": C, "cls.predictions.transform.LayerNorm.weight": C,
                "cls.predictions.transform.LayerNorm.bias": C, "cls.predictions.bias": V}


def orthogonalized(matrix):
    x = matrix / matrix.norm()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


def muon_direction(ahead, layout, inputs, outputs, count, scale):
    s = math.sqrt(max(1, outputs / inputs)) if scale == "spectral" else 0.2 * math.sqrt(max(outputs, inputs))
    as_in_out = ahead if layout == "in,out" else ahead.T
    assert as_in_out.shape == (inputs, count * outputs)
    parts = [s * orthogonalized(part) for part in as_in_out.split(outputs, dim=1)]
    whole = torch.cat(parts, dim=1)
    return whole if layout == "in,out" else whole.T


def run(parameters, gradients, in_layers, rest, case, dtype):
    weights = {name: value.to(dtype) for name, value in parameters.items()}
    slots = {name: {} for name in weights}
    history = []
    orthogonal = {"muon": in_layers, "muon-nsgd": {**in_layers, **rest}}.get(case["rule"], {})
    for step, rate in enumerate(RATES):
        now = {name: value[step].to(dtype) for name, value in gradients.items()}
        norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in now.values()))
        clip = min(1, case["clip_norm"] / (norm + 1e-6)) if case["clip_norm"] else 1
        for name, w in weights.items():
            g, own, lr = now[name] * clip, slots[name], rate
            decay = case["weight_decay"] if w.dim() == 2 else 0
            if name in orthogonal:
                m = own.get("momentum", torch.zeros_like(w))
                m = own["momentum"] = m + (1 - MOMENTUM) * (g - m)
                direction = muon_direction(g + MOMENTUM * (m - g), *orthogonal[name], case["update_scale"])
            elif case["rule"] == "muon":
                lr *= case["adamw_rate"]
                m = own["exp_avg"] = BETA1 * own.get("exp_avg", torch.zeros_like(w)) + (1 - BETA1) * g
                v = own["exp_avg_sq"] = BETA2 * own.get("exp_avg_sq", torch.zeros_like(w)) + (1 - BETA2) * g * g
                direction = (m / (1 - BETA1 ** (step + 1))) / ((v / (1 - BETA2 ** (step + 1))).sqrt() + EPSILON)
            elif case["rule"] == "muon-nsgd":
                direction = g / g.norm()
            else:
                own["momentum_buffer"] = case["momentum"] * own.get("momentum_buffer", torch.zeros_like(w)) + g
                direction = own["momentum_buffer"]
            weights[name] = (1 - lr * decay) * w - lr * direction
        history.append(dict(weights))
    return history, slots


def write(name, config, in_layers, rest, vectors):
    generator = torch.Generator().manual_seed(5)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).float().double()

    shapes = {key: (i, n * o) if layout == "in,out" else (o, i) for key, (layout, i, o, n) in {**in_layers, **rest}.items()}
    shapes.update({key: (size,) for key, size in vectors.items()})
    parameters = {key: draw(*shape) for key, shape in shapes.items()}
    gradients = {key: draw(len(RATES), *shape) for key, shape in shapes.items()}
    tensors = {**prefixed("param.", parameters), **prefixed("grad.", gradients)}
    deviations = {}
    for case, settings in CASES.items():
        history, slots = run(parameters, gradients, in_layers, rest, settings, torch.float64)
        single, _ = run(parameters, gradients, in_layers, rest, settings, torch.float32)
        deviations[case] = max(float((a[key] - b[key]).abs().max()) for a, b in zip(history, single) for key in shapes)
        for step, weights in enumerate(history):
            tensors.update(prefixed(f"{case}.{step}.", weights))
        for key, own in slots.items():
            tensors.update(prefixed(f"{case}.{key}.", own))
    save(os.path.join(GOLDEN, name + ".safetensors"), tensors, {
        "about": "From param.NAME, one update for each of `rates` with the gradients grad.NAME (steps first). Per CASE of `cases`: "
                 "CASE.STEP.NAME weights after each update; CASE.NAME.SLOT what is remembered after the last. Gradients are clipped by "
                 "min(1, clip_norm / (norm + 1e-6)), 0 for none; weight decay is decoupled, times the rate, of 2 dimensions only. "
                 "float32_deviation: the largest difference of the same code in float32.",
        "config": config, "cases": CASES, "rates": RATES, "momentum": MOMENTUM, "beta1": BETA1, "beta2": BETA2, "epsilon": EPSILON,
        "float32_deviation": deviations})
    print(name, deviations)


if __name__ == "__main__":
    write("muon-gpt2", GPT2, prefixed("transformer.h.0.", GPT2_LAYER), GPT2_REST, GPT2_VECTORS)
    write("muon-bert", BERT, prefixed(_L, BERT_LAYER), BERT_REST, BERT_VECTORS)
