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
# By step, the layers that each micro-batch executes: the last layer is idle in steps 1 and 3, and half idle in step 2.
IDLE_LAYERS = [[[0, 1, 2], [0, 1, 2]], [[0, 1], [0, 1]], [[0, 1, 2], [0, 1]], [[0, 1], [0, 1]]]
# By step, how many of each micro-batch's 22 targets are ignored: a mean of means is not the mean over all.
IGNORED_TARGETS = [[0, 15], [4, 4], [12, 1], [0, 0], [9, 19], [3, 14], [0, 0], [20, 2]]

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


def train(parameters, batches, moments, maps):
    """maps: by step, the layer maps of the micro-batches; after their end each layer is executed once. moments: None for
    a model that does not grow."""
    run = oracle.Training(parameters, TRAINING_CONFIG, SETTINGS)
    rows = []
    for step, micro_batches in enumerate(batches):
        if moments is not None and step == SETTINGS["grow_after_step"]:
            run.grow(SETTINGS["grow_to"], moments)
        rows.append(run.update(micro_batches, maps[step] if step < len(maps) else None))
    losses, norms, rates = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows))
    values = {"loss": losses, "gradient_norm": norms, "learning_rate": rates, **prefixed("param.", run.parameters),
              **prefixed("exp_avg.", run.moments("exp_avg")), **prefixed("exp_avg_sq.", run.moments("exp_avg_sq"))}
    return values, run.step_counts()


def check_counts(counts):
    """What the cases are there for, said once more."""
    def of_layers(case):
        layers = {name.split(".")[2]: count for name, count in counts[case].items() if ".h." in name}
        return [layers[str(i)] for i in range(len(layers))]

    assert of_layers("keep") == of_layers("apollo") == [8, 8, 8, 4, 4, 4]
    assert of_layers("map") == [8] * 6 and of_layers("reset") == [4] * 6
    assert of_layers("idle") == [8, 8, 6]
    assert all(counts[case]["transformer.wte.weight"] == (4 if case == "reset" else 8) for case in counts)


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


def training_batches(generator):
    batches = []
    for ignored in IGNORED_TARGETS:
        batches.append([batch(generator, TRAINING_CONFIG["vocab_size"]) for _ in ignored])
        for (_, targets), count in zip(batches[-1], ignored):
            targets.view(-1)[torch.randperm(targets.numel(), generator=generator)[:count]] = oracle.IGNORED
    return batches


def training_golden():
    generator = torch.Generator().manual_seed(4)
    # A gradient near 0 in a first step is noise that AdamW turns into a full step: this seed has none that matters.
    parameters = oracle.random_parameters(TRAINING_CONFIG, 16)
    batches = training_batches(generator)
    apollo = [[oracle.interpolate(TRAINING_CONFIG["n_layer"], depth) for depth in depths] for depths in APOLLO_DEPTHS]
    cases = {"keep": ("keep", []), "map": ("map", []), "reset": ("reset", []), "apollo": ("keep", apollo),
             "idle": (None, IDLE_LAYERS)}
    tensors = {**prefixed("param.", parameters),
               "input_ids": torch.stack([torch.stack([x for x, _ in step]) for step in batches]),
               "targets": torch.stack([torch.stack([y for _, y in step]) for step in batches])}
    deviations, counts = {}, {}
    for case, (moments, maps) in cases.items():
        result, counts[case] = train(parameters, batches, moments, maps)
        single, _ = train({name: value.float() for name, value in parameters.items()}, batches, moments, maps)
        deviations[case] = deviation(single, result)
        tensors.update(prefixed(case + ".", result))
    check_counts(counts)
    save(os.path.join(GOLDEN, "gpt2-training.safetensors"), tensors,
         {"about": "param.NAME: parameters before training. input_ids, targets (steps, micro-batches, B, T): -100 is "
                   "ignored, and micro-batches differ in how many are. The loss of a step is the sum over the targets "
                   "of all its micro-batches, divided once by the number of these targets; gradients are those of this "
                   "loss. After 4 steps (before step index 4) the model grows 3 -> 6 layers by interpolation "
                   "(0,0,1,1,2,2), except in the case idle. Per CASE of `cases`: CASE.loss, CASE.gradient_norm (global "
                   "L2 norm before clipping), CASE.learning_rate (steps); after the last step CASE.param.NAME, "
                   "CASE.exp_avg.NAME, CASE.exp_avg_sq.NAME, and in `step_counts` by CASE and NAME how often AdamW "
                   "stepped the parameter. torch.optim.AdamW counts these steps by parameter, from the first gradient "
                   "that it gets on, and corrects its moments' bias by them; it leaves a parameter without gradient "
                   "alone (no moments, no decay, no count). Cases: keep = moments and count stay by layer index, new "
                   "layers begin with neither; map = moments and count follow the weights; reset = those of all "
                   "parameters, embeddings and norms included, begin anew; apollo = keep, and in steps 0-3 the "
                   "micro-batches execute at `apollo_depths` through interpolated maps; idle = no growth, and in steps "
                   "0-3 the micro-batches execute the layers `idle_layers`, so that the last gets no gradient in steps "
                   "1 and 3. Clipping multiplies by min(1, clip_norm / (norm + 1e-6)). Weight decay (decoupled, times "
                   "the learning rate) on tensors of 2 dimensions only, embeddings included. Learning rate at step s "
                   "of the run, from 0: peak*(s+1)/warmup if s < warmup, else final + (peak-final)*0.5*"
                   "(1+cos(pi*(s-warmup)/(steps-warmup))); final is absolute. float32_deviation: the largest absolute "
                   "difference of the same PyTorch code in float32, key biases left out, to choose tolerances. "
                   + NO_GRADIENT_NOTE,
          "config": TRAINING_CONFIG, "settings": SETTINGS, "cases": list(cases), "apollo_depths": APOLLO_DEPTHS,
          "idle_layers": IDLE_LAYERS, "ignored_targets": IGNORED_TARGETS, "step_counts": counts,
          "float32_deviation": deviations})


if __name__ == "__main__":
    os.makedirs(GOLDEN, exist_ok=True)
    forward_golden()
    shared_golden()
    training_golden()
