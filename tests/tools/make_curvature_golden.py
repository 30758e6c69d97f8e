#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/curvature.safetensors: the Hessian of a tiny GPT-2's mean loss, what it makes of a vector, and
its largest eigenvalue, in float64 by torch.autograd.functional.

Needs python3-torch; run from anywhere: tests/tools/make_curvature_golden.py
"""

import os

import torch
from torch.autograd.functional import hessian, hvp

import gpt2_oracle as oracle
from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

CONFIG = {"model_type": "gpt2", "n_layer": 2, "n_embd": 8, "n_head": 2, "n_positions": 8, "vocab_size": 17,
          "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True}
B, T = 3, 7


def main():
    parameters = oracle.random_parameters(CONFIG, 5)
    shapes = {name: value.shape for name, value in parameters.items()}
    generator = torch.Generator().manual_seed(6)
    ids = torch.randint(0, CONFIG["vocab_size"], (B, T + 1), generator=generator)
    input_ids, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    def split(flat):
        parts = flat.split([shape.numel() for shape in shapes.values()])
        return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts)}

    def loss(flat):
        return oracle.loss_of(oracle.forward(split(flat), input_ids, CONFIG), targets)

    at = torch.cat([value.reshape(-1) for value in parameters.values()])
    vector = torch.randn(at.shape, generator=generator, dtype=torch.float64)
    vector /= vector.norm()
    product = hvp(loss, at, vector)[1]
    eigenvalues = torch.linalg.eigvalsh(hessian(loss, at))
    save(os.path.join(GOLDEN, "curvature.safetensors"),
         {**prefixed("param.", parameters), **prefixed("vector.", split(vector)), **prefixed("product.", split(product)),
          "input_ids": input_ids, "targets": targets, "largest": eigenvalues[-1]},
         {"about": "param.NAME: parameters. input_ids, targets (B, T): targets are already shifted. vector.NAME: v, together of length 1. "
                   "product.NAME: H v, H the Hessian of the mean loss. largest (): the largest eigenvalue of H.",
          "config": CONFIG})
    print("eigenvalues", eigenvalues[:3].tolist(), eigenvalues[-5:].tolist(), "product", product.norm().item(), "loss", loss(at).item())


if __name__ == "__main__":
    main()
