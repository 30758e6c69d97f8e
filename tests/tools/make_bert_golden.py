#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/bert-forward.safetensors: logits, losses and gradients of a small BERT.

Everything is computed in float64 from parameters that are exact in float32 and rounded to float32 only when stored,
so that a test's tolerance measures Espalier's own rounding. The `about` metadata names the file's contents.
Needs python3-torch; run from anywhere: tests/tools/make_bert_golden.py
"""

import os

import torch

import bert_oracle as oracle
from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

CONFIG = {"model_type": "bert", "num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 4,
          "intermediate_size": 48, "max_position_embeddings": 16, "vocab_size": 61, "type_vocab_size": 2,
          "layer_norm_eps": 1e-12, "hidden_act": "gelu", "tie_word_embeddings": True}
B, T = 3, 11


def main():
    generator = torch.Generator().manual_seed(3)
    parameters = oracle.random_parameters(CONFIG, 5)
    input_ids = torch.randint(0, CONFIG["vocab_size"], (B, T), generator=generator)
    lengths = torch.tensor([11, 7, 1])
    token_type_ids = (torch.arange(T)[None, :] >= torch.tensor([5, 3, 1])[:, None]).long()
    positions = torch.tensor([1, 4, 9, 12, 15, 22])
    targets = torch.full((B * T,), oracle.IGNORED)
    targets[positions] = torch.randint(0, CONFIG["vocab_size"], (len(positions),), generator=generator)
    cases = {
        "plain": {},
        "padded": {"token_type_ids": token_type_ids, "lengths": lengths},
        "shared": {"layer_map": [0, 0, 1, 1, 2, 2, 2]},
    }
    tensors = {**prefixed("param.", parameters), "input_ids": input_ids, "token_type_ids": token_type_ids,
               "lengths": lengths, "positions": positions, "targets": targets[positions]}
    for case, inputs in cases.items():
        logits, loss, gradients = oracle.loss_and_gradients(
            parameters, input_ids, targets.reshape(B, T), CONFIG, **inputs)
        tensors.update({f"{case}.logits": logits, f"{case}.loss": loss, **prefixed(f"{case}.grad.", gradients)})
    save(os.path.join(GOLDEN, "bert-forward.safetensors"), tensors,
         {"about": "param.NAME: parameters. input_ids (B, T); token_type_ids (B, T) and lengths (B): used by the case "
                   "padded only. targets (N) at positions (N), counted through B x T. Per CASE of `cases`: CASE.logits "
                   "(B, T, V), at padding without meaning; CASE.loss (): mean over the targets; CASE.grad.NAME. shared: "
                   "the layers run as `shared_map` says. attention.self.key.bias has a gradient of exactly 0 in theory "
                   "(softmax ignores a shift common to all keys): compare it absolutely.",
          "config": CONFIG, "cases": list(cases), "shared_map": cases["shared"]["layer_map"]})


if __name__ == "__main__":
    main()
