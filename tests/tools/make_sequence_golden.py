#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/sequence-{bert,gpt2,llama,qwen3}.safetensors: a small model of each kind that
gives whole sequences of different lengths classes and scores.

Everything is computed in float64 from parameters that are exact in float32 and rounded to float32 only when stored,
so that a test's tolerance measures Espalier's own rounding. The `about` metadata names the file's contents.
Needs python3-torch; run from anywhere: tests/tools/make_sequence_golden.py
"""

import os

import torch
import torch.nn.functional as F

import bert_oracle
import gpt2_oracle
import llama_oracle
from safetensors_file import save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

BERT = {"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2,
        "intermediate_size": 24, "max_position_embeddings": 12, "vocab_size": 31, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "hidden_act": "gelu", "tie_word_embeddings": True}
GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 12, "vocab_size": 31,
        "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True}
LLAMA = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 24,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "max_position_embeddings": 12, "vocab_size": 31,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "attention_bias": False, "mlp_bias": False,
         "tie_word_embeddings": True}
QWEN = {**{key: value for key, value in LLAMA.items() if key != "mlp_bias"}, "model_type": "qwen3", "rms_norm_eps": 1e-6}
B, T, OUTPUTS = 4, 9, 3
LENGTHS = torch.tensor([9, 4, 1, 6])
HEADS = {"bert": ["classifier.weight", "classifier.bias"], "gpt2": ["score.weight"], "llama": ["score.weight"],
         "qwen3": ["score.weight"]}


def write(model, config, parameters, head_shapes, scores_of, token_type_ids):
    generator = torch.Generator().manual_seed(7)
    for name, shape in head_shapes.items():
        values = torch.randn(shape, generator=generator, dtype=torch.float64) * (0.3 if len(shape) > 1 else 0.1)
        parameters[name] = values.float().double()
    input_ids = torch.randint(0, 31, (B, T), generator=generator)
    classes = torch.tensor([2, 0, 1, 2])
    scores = torch.tensor([3.75, 0.0, 5.0, 1.25], dtype=torch.float64)
    tensors = {**{"param." + name: value for name, value in parameters.items()},
               "input_ids": input_ids, "token_type_ids": token_type_ids, "lengths": LENGTHS, "classes": classes,
               "scores": scores}
    for case in ("classification", "regression"):
        leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        # A regression has a single output: the first.
        used = {name: leaf[:1] if case == "regression" and name in HEADS[model] else leaf
                for name, leaf in leaves.items()}
        given = scores_of(used, input_ids)
        loss = F.cross_entropy(given, classes) if case == "classification" else F.mse_loss(given[:, 0], scores)
        loss.backward()
        tensors.update({f"{case}.scores": given, f"{case}.loss": loss})
        tensors.update({f"{case}.grad.{name}": (leaf.grad[:1] if used[name] is not leaf else leaf.grad)
                        for name, leaf in leaves.items() if leaf.grad is not None})
    save(os.path.join(GOLDEN, f"sequence-{model}.safetensors"), tensors,
         {"about": "param.NAME: parameters, the head's with 3 outputs. input_ids, token_type_ids (B, T), of which lengths "
                   "(B) count; classes, scores (B): the labels. Case classification: cross-entropy of 3 outputs; case "
                   "regression: mean squared error of the head's first output alone. CASE.scores (B, outputs), CASE.loss "
                   "(), CASE.grad.NAME. attention.self.key.bias and the middle third of attn.c_attn.bias have gradients "
                   "of exactly 0 in theory: compare them absolutely.",
          "config": config})


if __name__ == "__main__":
    types = (torch.arange(T)[None, :] >= torch.tensor([5, 2, 1, 6])[:, None]).long()
    types *= torch.arange(T)[None, :] < LENGTHS[:, None]
    bert = {name: value for name, value in bert_oracle.random_parameters(BERT, 11).items() if name.startswith("bert.")}
    write("bert", BERT, bert,
          {"bert.pooler.dense.weight": (16, 16), "bert.pooler.dense.bias": (16,), "classifier.weight": (OUTPUTS, 16),
           "classifier.bias": (OUTPUTS,)},
          lambda p, ids: bert_oracle.sequence_scores(p, ids, BERT, token_type_ids=types, lengths=LENGTHS), types)
    write("gpt2", GPT2, gpt2_oracle.random_parameters(GPT2, 12), {"score.weight": (OUTPUTS, 16)},
          lambda p, ids: gpt2_oracle.sequence_scores(p, ids, GPT2, LENGTHS), torch.zeros_like(types))
    for name, config, seed in (("llama", LLAMA, 13), ("qwen3", QWEN, 14)):
        write(name, config, llama_oracle.random_parameters(config, seed), {"score.weight": (OUTPUTS, 16)},
              lambda p, ids, config=config: llama_oracle.sequence_scores(p, ids, config, LENGTHS), torch.zeros_like(types))
