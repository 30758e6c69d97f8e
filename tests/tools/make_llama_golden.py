#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/llama-*.safetensors and qwen3-*.safetensors: logits, losses and gradients.

Everything is computed in float64 from parameters that are exact in float32 and rounded to float32 only when stored.
Needs python3-torch; run from anywhere: tests/tools/make_llama_golden.py
"""

import os

import torch

import llama_oracle as oracle
from layer_run import Mask, Run
from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")
SIZES = {"num_hidden_layers": 2, "hidden_size": 24, "intermediate_size": 20, "num_attention_heads": 4,
         "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 16, "vocab_size": 29,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False}
LLAMA = {"model_type": "llama", **SIZES, "mlp_bias": False, "tie_word_embeddings": False}
QWEN = {"model_type": "qwen3", **SIZES, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "tie_word_embeddings": True}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 40}
CONFIGS = {
    "llama": LLAMA,
    "llama-biases": {**LLAMA, "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1,
                     "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "llama-llama3": {**LLAMA, "num_key_value_heads": 4, "head_dim": 6, "rope_scaling": LLAMA3},
    "qwen3": QWEN,
}
B, T = 2, 11
# TokenSubset's choice for the seed 6; any other would do as well.
TOKENS = torch.tensor([[0, 1, 4, 5, 9], [0, 1, 7, 8, 9]])


def bf16_loss(parameters, input_ids, targets, config):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = {name: value.float() for name, value in parameters.items()}
        return oracle.loss_of(oracle.forward(single, input_ids, config).float(), targets).item()


def golden(name, config, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, config["vocab_size"], (B, T + 1), generator=generator)
    input_ids, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    targets[0, 3] = targets[1, 9] = -100
    parameters = oracle.random_parameters(config, seed + 1)
    tensors = {**prefixed("param.", parameters), "input_ids": input_ids, "targets": targets}

    def case(prefix, layer_map=None, mask=Mask()):
        logits, loss, gradients = oracle.loss_and_gradients(parameters, input_ids, targets, config, layer_map, mask)
        tensors.update({f"{prefix}logits": logits, f"{prefix}loss": loss, **prefixed(f"{prefix}grad.", gradients)})

    case("")
    groups = config["num_key_value_heads"]
    part = lambda units: torch.tensor([1.0] * (units - units // 2) + [0.25] * (units // 2), dtype=torch.float64)
    case("masked.", mask=Mask(part(config["hidden_size"]), part(groups), part(config["intermediate_size"])))
    tensors["subset.tokens"] = TOKENS
    case("subset.", layer_map=[Run(0), Run(1, tokens=TOKENS, scale=0.5), Run(0)])
    save(os.path.join(GOLDEN, name + ".safetensors"), tensors,
         {"about": "As gpt2-forward: parameters, a batch, logits (B, T, V), the mean loss and its gradients. masked.*: the "
                   "second half of all units (rounded down) open to a quarter; heads that share keys and values count as one. "
                   "subset.*: layers 0, 1, 0; layer 1 sees the positions subset.tokens (B, 5) alone and adds half. bf16_loss: "
                   "the loss under PyTorch's bf16 autocast, to choose a tolerance.",
          "config": config, "bf16_loss": bf16_loss(parameters, input_ids, targets, config)})


if __name__ == "__main__":
    for place, (name, config) in enumerate(CONFIGS.items()):
        golden(name, config, 10 * place + 1)
