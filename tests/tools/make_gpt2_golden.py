#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/gpt2-*.safetensors: logits, losses, gradients and training of a small GPT-2.

Everything is computed in float64 from parameters that are exact in float32 and rounded to float32 only when stored,
so that a test's tolerance measures Espalier's own rounding. The `about` metadata of each file names its contents.
Needs python3-torch; run from anywhere: tests/tools/make_gpt2_golden.py
"""

import os

import torch

import gpt2_oracle as oracle
from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

CONFIG = {"model_type": "gpt2", "n_layer": 3, "n_embd": 32, "n_head": 4, "n_positions": 16, "vocab_size": 61,
          "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True}
B, T = 2, 11

TRAINING_CONFIG = {**CONFIG, "n_embd": 16, "n_head": 2}
SETTINGS = {"steps": 8, "peak": 1e-2, "final": 1e-3, "warmup": 3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
            "weight_decay": 0.1, "clip_norm": 1.0, "micro_batches": 2, "grow_after_step": 4, "grow_to": 6}
APOLLO_DEPTHS = [[3, 5], [6, 3], [4, 8], [3, 3]]

NO_GRADIENT_NOTE = (
    "The middle third (keys) of every attn.c_attn.bias has a gradient of exactly 0 in theory (softmax ignores a shift "
    "common to all keys); AdamW divides its rounding noise by itself. Leave it out when comparing parameters or moments "
    "after training, and compare its gradient absolutely.")


def batch(generator, vocabulary):
    ids = torch.randint(0, vocabulary, (B, T + 1), generator=generator)
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def bf16_loss(parameters, input_ids, targets, layer_map=None):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = {name: value.float() for name, value in parameters.items()}
        return oracle.loss_of(oracle.forward(single, input_ids, CONFIG, layer_map).float(), targets).item()


def inputs():
    generator = torch.Generator().manual_seed(2)
    input_ids, targets = batch(generator, CONFIG["vocab_size"])
    targets[0, 3] = targets[1, 0] = targets[1, 9] = oracle.IGNORED
    return oracle.random_parameters(CONFIG, 1), input_ids, targets


def forward_golden():
    parameters, input_ids, targets = inputs()
    logits, loss, gradients = oracle.loss_and_gradients(parameters, input_ids, targets, CONFIG)
    save(os.path.join(GOLDEN, "gpt2-forward.safetensors"),
         {**prefixed("param.", parameters), "input_ids": input_ids, "targets": targets, "logits": logits, "loss": loss,
          **prefixed("grad.", gradients)},
         {"about": "param.NAME: parameters. input_ids, targets (B, T): targets are already shifted; -100 is ignored. "
                   "logits (B, T, V). loss (): mean over the targets that are not ignored. grad.NAME: d loss / d NAME. "
                   "bf16_loss: the loss under PyTorch's bf16 autocast, to choose a tolerance. " + NO_GRADIENT_NOTE,
          "config": CONFIG, "bf16_loss": bf16_loss(parameters, input_ids, targets)})


def shared_golden():
    parameters, input_ids, targets = inputs()
    maps = {"interpolate6": oracle.interpolate(3, 6), "interpolate8": oracle.interpolate(3, 8),
            "stack6": oracle.stack(3, 6)}
    assert maps == {"interpolate6": [0, 0, 1, 1, 2, 2], "interpolate8": [0, 0, 0, 1, 1, 1, 2, 2],
                    "stack6": [0, 1, 2, 0, 1, 2]}
    tensors = {**prefixed("param.", parameters), "input_ids": input_ids, "targets": targets}
    bf16 = {}
    for case, layer_map in maps.items():
        logits, loss, gradients = oracle.loss_and_gradients(parameters, input_ids, targets, CONFIG, layer_map)
        tensors.update({f"{case}.layer_map": torch.tensor(layer_map), f"{case}.logits": logits, f"{case}.loss": loss,
                        **prefixed(f"{case}.grad.", gradients)})
        bf16[case] = bf16_loss(parameters, input_ids, targets, layer_map)
    save(os.path.join(GOLDEN, "gpt2-shared.safetensors"), tensors,
         {"about": "The model of gpt2-forward with its 3 stored layers executed through layer maps. Per CASE of `cases`: "
                   "CASE.layer_map: stored layer of each executed one; CASE.logits, CASE.loss; CASE.grad.NAME: gradients "
                   "summed over all executions. " + NO_GRADIENT_NOTE,
          "config": CONFIG, "cases": list(maps), "bf16_loss": bf16})


def train(parameters, batches, moments, depths=None):
    run = oracle.Training(parameters, TRAINING_CONFIG, SETTINGS)
    rows = []
    for step, micro_batches in enumerate(batches):
        if step == SETTINGS["grow_after_step"]:
            run.grow(SETTINGS["grow_to"], moments)
        maps = None
        if depths is not None and step < len(depths):
            maps = [oracle.interpolate(run.config["n_layer"], depth) for depth in depths[step]]
        rows.append(run.update(micro_batches, maps))
    losses, norms, rates = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows))
    return {"loss": losses, "gradient_norm": norms, "learning_rate": rates, **prefixed("param.", run.parameters),
            **prefixed("exp_avg.", run.moments("exp_avg")), **prefixed("exp_avg_sq.", run.moments("exp_avg_sq"))}


def deviation(single, double):
    """Largest difference of float32 training from float64 training by kind, key biases left out."""
    worst = {}
    for name, value in double.items():
        difference = (single[name].double() - value).abs().detach()
        if name.endswith("attn.c_attn.bias"):
            difference = torch.cat([difference[:len(difference) // 3], difference[2 * len(difference) // 3:]])
        kind = name.split(".")[0]
        worst[kind] = max(worst.get(kind, 0.0), difference.max().item())
    return worst


def training_golden():
    generator = torch.Generator().manual_seed(4)
    # A gradient near 0 in a first step is noise that AdamW turns into a full step: this seed has none that matters.
    parameters = oracle.random_parameters(TRAINING_CONFIG, 10)
    batches = [[batch(generator, TRAINING_CONFIG["vocab_size"]) for _ in range(SETTINGS["micro_batches"])]
               for _ in range(SETTINGS["steps"])]
    cases = {"keep": ("keep", None), "map": ("map", None), "apollo": ("keep", APOLLO_DEPTHS)}
    tensors = {**prefixed("param.", parameters),
               "input_ids": torch.stack([torch.stack([x for x, _ in step]) for step in batches]),
               "targets": torch.stack([torch.stack([y for _, y in step]) for step in batches])}
    deviations = {}
    for case, (moments, depths) in cases.items():
        result = train(parameters, batches, moments, depths)
        single = train({name: value.float() for name, value in parameters.items()}, batches, moments, depths)
        deviations[case] = deviation(single, result)
        tensors.update(prefixed(case + ".", result))
    save(os.path.join(GOLDEN, "gpt2-training.safetensors"), tensors,
         {"about": "param.NAME: parameters before training. input_ids, targets (steps, micro-batches, B, T). Gradients "
                   "are the mean of the micro-batches' mean losses. After 4 steps (before step index 4) the model grows "
                   "3 -> 6 layers by interpolation (0,0,1,1,2,2). Per CASE of `cases`: CASE.loss, CASE.gradient_norm "
                   "(global L2 norm before clipping), CASE.learning_rate (steps); after the last step CASE.param.NAME, "
                   "CASE.exp_avg.NAME, CASE.exp_avg_sq.NAME. Cases: keep = moments stay by layer index, new layers "
                   "start with zeros; map = moments follow the weights; apollo = keep, and in steps 0-3 the micro-batches "
                   "execute at `apollo_depths` through interpolated maps. All parameters share one step counter, which "
                   "growth does not touch. Clipping multiplies by min(1, clip_norm / (norm + 1e-6)). Weight decay "
                   "(decoupled, times the learning rate) on tensors of 2 dimensions only, embeddings included. Learning "
                   "rate at step s from 0: peak*(s+1)/warmup if s < warmup, else final + (peak-final)*0.5*"
                   "(1+cos(pi*(s-warmup)/(steps-warmup))); final is absolute. float32_deviation: the largest absolute "
                   "difference of the same PyTorch code in float32, key biases left out, to choose tolerances. "
                   + NO_GRADIENT_NOTE,
          "config": TRAINING_CONFIG, "settings": SETTINGS, "cases": list(cases), "apollo_depths": APOLLO_DEPTHS,
          "float32_deviation": deviations})


if __name__ == "__main__":
    os.makedirs(GOLDEN, exist_ok=True)
    forward_golden()
    shared_golden()
    training_golden()
