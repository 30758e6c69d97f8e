"""Llama and Qwen3 in plain PyTorch: the oracle of the golden tests.

It shares no code with Espalier and favours the textbook form over speed: every query head is computed by itself, and rotary
positions are products of complex numbers. Parameters are a dict under Hugging Face's names; matrices are [out, in].
B sequences, T tokens, C width, d elements of a head.
"""

import cmath
import json
import math
import os
import sys

import torch
import torch.nn.functional as F

from layer_run import Mask, put, runs_of, take, times
from safetensors_file import save


def is_qwen(config):
    return config["model_type"] == "qwen3"


def shapes_of_layer(config):
    C, I, d = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * d, config["num_key_value_heads"] * d
    shapes = {"input_layernorm.weight": (C,), "post_attention_layernorm.weight": (C,)}
    attention = {"q_proj": (queries, C), "k_proj": (keys, C), "v_proj": (keys, C), "o_proj": (C, queries)}
    feed_forward = {"gate_proj": (I, C), "up_proj": (I, C), "down_proj": (C, I)}
    for block, matrices, biased in (("self_attn", attention, config.get("attention_bias")),
                                    ("mlp", feed_forward, config.get("mlp_bias"))):
        for name, shape in matrices.items():
            shapes[f"{block}.{name}.weight"] = shape
            if biased:
                shapes[f"{block}.{name}.bias"] = shape[:1]
    if is_qwen(config):
        shapes.update({"self_attn.q_norm.weight": (d,), "self_attn.k_norm.weight": (d,)})
    return shapes


def random_parameters(config, seed):
    """No bias is 0, no norm is 1. float64 tensors that hold exact float32 values."""
    generator = torch.Generator().manual_seed(seed)
    V, C = config["vocab_size"], config["hidden_size"]
    shapes = {"model.embed_tokens.weight": (V, C), "model.norm.weight": (C,)}
    for layer in range(config["num_hidden_layers"]):
        shapes.update({f"model.layers.{layer}.{name}": shape for name, shape in shapes_of_layer(config).items()})
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (V, C)

    def draw(name, shape):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        if "norm" in name:
            return 1 + 0.2 * values
        if name.endswith("bias"):
            return 0.1 * values
        return values * (0.5 if "embed" in name else shape[1] ** -0.5)

    return {name: draw(name, shape).float().double() for name, shape in shapes.items()}


def frequencies(config):
    """Radians a position, of each pair."""
    d, rope = config["head_dim"], config.get("rope_scaling") or {"rope_type": "default"}
    result = []
    for pair in range(d // 2):
        f = config["rope_theta"] ** (-2 * pair / d)
        if rope["rope_type"] == "linear":
            f /= rope["factor"]
        elif rope["rope_type"] == "llama3":
            wavelength = 2 * math.pi / f
            low, high = rope["low_freq_factor"], rope["high_freq_factor"]
            context = rope["original_max_position_embeddings"]
            if wavelength > context / low:
                f /= rope["factor"]
            elif wavelength >= context / high:
                part = (context / wavelength - low) / (high - low)
                f = part * f + (1 - part) * f / rope["factor"]
        else:
            assert rope["rope_type"] == "default"
        result.append(f)
    return result


def rotate(x, positions, config):
    """x (B, T, d); positions (B, T)."""
    half = x.shape[-1] // 2
    turns = torch.tensor([[[cmath.exp(1j * p * f) for f in frequencies(config)] for p in row] for row in positions.tolist()],
                         dtype=torch.complex128)
    turned = torch.complex(x[..., :half].double(), x[..., half:].double()) * turns
    return torch.cat([turned.real, turned.imag], -1).to(x.dtype)


def rms_norm(x, weight, epsilon, c=None):
    """c: the mask of units: unit i counts c[i] times."""
    if c is None:
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight
    c = c.to(x.dtype)
    return x / torch.sqrt((c * x * x).sum(-1, keepdim=True) / c.sum() + epsilon) * weight * c


def layer_output(w, x, positions, config, scale, mask):
    (B, T, _), d, epsilon = x.shape, config["head_dim"], config["rms_norm_eps"]
    shared = config["num_attention_heads"] // config["num_key_value_heads"]

    def linear(name, y):
        return F.linear(y, w[name + ".weight"], w.get(name + ".bias"))

    def head(y, which, norm=None):
        y = y[..., which * d:(which + 1) * d]
        return rms_norm(y, w[norm], epsilon) if norm else y

    h = rms_norm(x, w["input_layernorm.weight"], epsilon, mask.hidden)
    q, k, v = (linear(f"self_attn.{part}_proj", h) for part in "qkv")
    q_norm, k_norm = ("self_attn.q_norm.weight", "self_attn.k_norm.weight") if is_qwen(config) else (None, None)
    visible, mixed = torch.ones(T, T, dtype=torch.bool).tril(), []
    for query in range(config["num_attention_heads"]):
        key = query // shared
        scores = rotate(head(q, query, q_norm), positions, config) @ rotate(head(k, key, k_norm), positions, config).mT
        weights = (scores / math.sqrt(d)).masked_fill(~visible, -math.inf).softmax(-1)
        mixed.append(weights @ head(v, key) * (1 if mask.heads is None else mask.heads[key]))
    x = x + scale * times(linear("self_attn.o_proj", torch.cat(mixed, -1)), mask.hidden)
    h = rms_norm(x, w["post_attention_layernorm.weight"], epsilon, mask.hidden)
    gate = linear("mlp.gate_proj", h)
    inner = times(gate * torch.sigmoid(gate) * linear("mlp.up_proj", h), mask.feed_forward)
    return x + scale * times(linear("mlp.down_proj", inner), mask.hidden)


def hidden(parameters, input_ids, config, layer_map=None, mask=Mask()):
    """What the head reads, (B, T, C); layer_map as in gpt2_oracle."""
    B, T = input_ids.shape
    everywhere = torch.arange(T).expand(B, T)
    x = times(parameters["model.embed_tokens.weight"][input_ids], mask.hidden)
    for run in runs_of(layer_map, config["num_hidden_layers"]):
        w = {name: parameters[f"model.layers.{run.stored}.{name}"] for name in shapes_of_layer(config)}
        w = w if run.trains else {name: value.detach() for name, value in w.items()}
        if run.tokens is None:
            x = layer_output(w, x, everywhere, config, run.scale, mask)
        else:
            x = put(x, run.tokens, layer_output(w, take(x, run.tokens), run.tokens, config, run.scale, mask))
    return rms_norm(x, parameters["model.norm.weight"], config["rms_norm_eps"], mask.hidden)


def forward(parameters, input_ids, config, layer_map=None, mask=Mask()):
    """Logits (B, T, V)."""
    head = parameters.get("lm_head.weight", parameters["model.embed_tokens.weight"])
    return hidden(parameters, input_ids, config, layer_map, mask) @ head.T


def sequence_scores(parameters, input_ids, config, lengths):
    """(B, outputs), as LlamaForSequenceClassification: at the last token before the padding."""
    last = hidden(parameters, input_ids, config)[torch.arange(len(input_ids)), lengths - 1]
    return last @ parameters["score.weight"].T


def loss_of(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-100)


def loss_and_gradients(parameters, input_ids, targets, config, layer_map=None, mask=Mask()):
    """(logits, loss, gradients)."""
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    logits = forward(leaves, input_ids, config, layer_map, mask)
    loss = loss_of(logits, targets)
    loss.backward()
    return logits.detach(), loss.detach(), {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def write_folder(folder, parameters, config):
    """A Hugging Face folder, without a tokenizer."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({**config, "architectures": ["Qwen3ForCausalLM" if is_qwen(config) else "LlamaForCausalLM"],
                   "hidden_act": "silu"}, file)
    save(os.path.join(folder, "model.safetensors"), parameters, {"format": "pt"})


if __name__ == "__main__":
    sys.exit("run make_llama_golden.py")
