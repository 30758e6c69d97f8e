#!/usr/bin/python3
"""Writes src/Espalier/SelfTest/reference.safetensors: what `espalier selftest` compares an installation with.

Per op: inputs, output, an upstream gradient and the gradients of the inputs, computed in float64 from inputs that are
exact in float32; then a tiny GPT-2 and a tiny BERT, forward and backward, and five training steps of the GPT-2.
Needs python3-torch; run from anywhere: tests/tools/make_op_golden.py
"""

import os

import torch
import torch.nn.functional as F

import bert_oracle
import gpt2_oracle as oracle
from make_gpt2_golden import prefixed
from safetensors_file import save

REFERENCE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                         "..", "..", "src", "Espalier", "SelfTest", "reference.safetensors")

CONFIG = {"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 8, "vocab_size": 17,
          "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True,
          "embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
BERT_CONFIG = {"model_type": "bert", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2,
               "intermediate_size": 24, "max_position_embeddings": 8, "vocab_size": 17, "type_vocab_size": 2,
               "layer_norm_eps": 1e-12, "hidden_act": "gelu", "tie_word_embeddings": True,
               "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
SETTINGS = {"steps": 5, "peak": 1e-2, "final": 1e-3, "warmup": 2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8,
            "weight_decay": 0.1, "clip_norm": 1.0, "micro_batches": 2}
ADAMW = {"learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1, "steps_before": 2}
MAX_NORM = 1.0

_generator = torch.Generator().manual_seed(7)


def draw(*shape, scale=1.0):
    return (scale * torch.randn(shape, generator=_generator, dtype=torch.float64)).float().double()


def indices(*shape, below):
    return torch.randint(0, below, shape, generator=_generator)


def ignoring(targets, *positions):
    targets[list(positions)] = oracle.IGNORED
    return targets


# name: (what it computes, inputs, function). Integer inputs have no gradient.
OPS = {
    "linear": ("x W^T + b; x (2, 3, 5), W (7, 5) as [out, in], b (7)",
               [draw(2, 3, 5), draw(7, 5), draw(7)], lambda x, w, b: x @ w.T + b),
    "conv1d": ("x W + b, the layout of GPT-2; x (2, 3, 5), W (5, 7) as [in, out], b (7)",
               [draw(2, 3, 5), draw(5, 7), draw(7)], lambda x, w, b: x @ w + b),
    "matmul": ("a b; a (4, 6), b (6, 5)", [draw(4, 6), draw(6, 5)], torch.matmul),
    "batched_matmul": ("a b; a (2, 3, 4, 6), b (2, 3, 6, 5)", [draw(2, 3, 4, 6), draw(2, 3, 6, 5)], torch.matmul),
    "layer_norm": ("over the last axis, epsilon 1e-5; x (2, 3, 8), weight (8), bias (8)",
                   [draw(2, 3, 8, scale=2), draw(8), draw(8)], lambda x, w, b: oracle.layer_norm(x, w, b, 1e-5)),
    "gelu_tanh": ("0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); x (4, 9)", [draw(4, 9, scale=2)], oracle.gelu_tanh),
    "softmax": ("over the last axis; x (3, 7)", [draw(3, 7, scale=2)], lambda x: x.softmax(-1)),
    "causal_attention": ("q, k, v (B 2, heads 2, T 5, head size 4), scale 1/2",
                         [draw(2, 2, 5, 4), draw(2, 2, 5, 4), draw(2, 2, 5, 4)], oracle.causal_attention),
    "embedding": ("table (9, 4), ids (2, 6) with repetitions", [draw(9, 4), indices(2, 6, below=9)],
                  lambda table, ids: table[ids]),
    "cross_entropy": ("mean over targets other than -100; logits (8, 11), targets (8)",
                      [draw(8, 11, scale=2), ignoring(indices(8, below=11), 1, 6)],
                      lambda x, t: F.cross_entropy(x, t, ignore_index=oracle.IGNORED)),
    "add": ("broadcast; (2, 3, 4) + (3, 1)", [draw(2, 3, 4), draw(3, 1)], torch.add),
    "mul": ("broadcast; (2, 3, 4) * (4)", [draw(2, 3, 4), draw(4)], torch.mul),
    "sum": ("of all elements; (3, 4)", [draw(3, 4)], torch.sum),
    "mean": ("of all elements; (3, 4)", [draw(3, 4)], torch.mean),
    "cat": ("along axis 1; (2, 3, 2), (2, 1, 2)", [draw(2, 3, 2), draw(2, 1, 2)], lambda a, b: torch.cat([a, b], 1)),
    "index_select": ("along axis 0, with repetitions; x (4, 3), index (6)", [draw(4, 3), indices(6, below=4)],
                     lambda x, i: torch.index_select(x, 0, i)),
}


def op_reference(name, inputs, function):
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    output = function(*leaves)
    upstream = draw(*output.shape) if output.dim() else torch.ones((), dtype=torch.float64)
    output.backward(upstream)
    tensors = {f"{name}/output": output.detach(), f"{name}/upstream": upstream}
    for i, leaf in enumerate(leaves):
        tensors[f"{name}/input{i}"] = inputs[i]
        if leaf.requires_grad:
            tensors[f"{name}/grad{i}"] = leaf.grad
    return tensors


def adamw_reference(name, weight_decay):
    parameter, gradient, average = draw(3, 4), draw(3, 4), draw(3, 4, scale=0.5)
    square = draw(3, 4).abs().float().double()
    tensors = {f"{name}/input{i}": x.clone() for i, x in enumerate((parameter, gradient, average, square))}
    leaf = parameter.clone().requires_grad_()
    leaf.grad = gradient
    optimizer = torch.optim.AdamW([leaf], lr=ADAMW["learning_rate"], betas=(ADAMW["beta1"], ADAMW["beta2"]),
                                  eps=ADAMW["epsilon"], weight_decay=weight_decay)
    optimizer.state[leaf] = {"step": torch.tensor(float(ADAMW["steps_before"])),
                             "exp_avg": average.clone(), "exp_avg_sq": square.clone()}
    optimizer.step()
    state = optimizer.state[leaf]
    return {**tensors, **{f"{name}/output{i}": x.detach()
                          for i, x in enumerate((leaf, state["exp_avg"], state["exp_avg_sq"]))}}


def clip_reference(name, scale):
    gradients = [draw(3, 4, scale=scale), draw(5, scale=scale)]
    tensors = {f"{name}/input{i}": g.clone() for i, g in enumerate(gradients)}
    leaves = [torch.zeros_like(g).requires_grad_() for g in gradients]
    for leaf, gradient in zip(leaves, gradients):
        leaf.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(leaves, MAX_NORM)
    assert (norm > MAX_NORM) == (name == "clip")
    return {**tensors, **{f"{name}/output{i}": leaf.grad for i, leaf in enumerate(leaves)}, f"{name}/norm": norm}


def bert_reference():
    parameters = bert_oracle.random_parameters(BERT_CONFIG, 9)
    B, T, V = 3, BERT_CONFIG["max_position_embeddings"], BERT_CONFIG["vocab_size"]
    inputs = {"token_type_ids": (torch.arange(T) >= torch.tensor([5, 3, 1])[:, None]).long(),
              "lengths": torch.tensor([8, 6, 2])}
    input_ids, positions = indices(B, T, below=V), torch.tensor([1, 4, 7, 10, 13, 17])
    targets = torch.full((B * T,), oracle.IGNORED)
    targets[positions] = indices(len(positions), below=V)
    logits, loss, gradients = bert_oracle.loss_and_gradients(
        parameters, input_ids, targets.reshape(B, T), BERT_CONFIG, **inputs)
    return {
        "bert/input_ids": input_ids, **prefixed("bert/", inputs), "bert/positions": positions,
        "bert/targets": targets[positions], "bert/logits": logits.reshape(-1, V)[positions], "bert/loss": loss,
        **prefixed("bert/param.", parameters), **prefixed("bert/grad.", gradients)}


def gpt2_reference():
    parameters = oracle.random_parameters(CONFIG, 8)
    shape = (SETTINGS["steps"], SETTINGS["micro_batches"], 3, CONFIG["n_positions"] + 1)
    text = indices(*shape, below=CONFIG["vocab_size"])
    input_ids, targets = text[..., :-1].contiguous(), text[..., 1:].contiguous()
    masked = targets[0, 0].clone()
    masked[0, 2] = masked[2, 7] = oracle.IGNORED
    logits, loss, gradients = oracle.loss_and_gradients(parameters, input_ids[0, 0], masked, CONFIG)
    run = oracle.Training(parameters, CONFIG, SETTINGS)
    rows = [run.update(list(zip(x, y))) for x, y in zip(input_ids, targets)]
    losses, norms, rates = (torch.tensor(column, dtype=torch.float64) for column in zip(*rows))
    return {
        "gpt2/input_ids": input_ids[0, 0], "gpt2/targets": masked, "gpt2/logits": logits, "gpt2/loss": loss,
        **prefixed("gpt2/param.", parameters), **prefixed("gpt2/grad.", gradients),
        "training/input_ids": input_ids, "training/targets": targets, "training/loss": losses,
        "training/gradient_norm": norms, "training/learning_rate": rates,
        **prefixed("training/param.", run.parameters), **prefixed("training/exp_avg.", run.moments("exp_avg")),
        **prefixed("training/exp_avg_sq.", run.moments("exp_avg_sq"))}


def main():
    tensors = {}
    for name, (_, inputs, function) in OPS.items():
        tensors.update(op_reference(name, inputs, function))
    tensors.update(adamw_reference("adamw", ADAMW["weight_decay"]))
    tensors.update(adamw_reference("adamw_without_decay", 0.0))
    tensors.update(clip_reference("clip", 1.0))
    tensors.update(clip_reference("clip_below", 0.01))
    tensors.update(gpt2_reference())
    tensors.update(bert_reference())
    os.makedirs(os.path.dirname(REFERENCE), exist_ok=True)
    save(REFERENCE, tensors, {
        "about": "Per op of `ops`: OP/input0.., OP/output, OP/upstream (the gradient of the output, fed to the backward "
                 "pass), OP/grad0.. (of floating-point inputs). adamw and adamw_without_decay: input0-3 parameter, "
                 "gradient, exp_avg, exp_avg_sq after `adamw.steps_before` steps; output0-2 parameter, exp_avg, "
                 "exp_avg_sq after one more. clip and clip_below: input0-1 gradients, output0-1 clipped, norm before. "
                 "gpt2/: param.NAME, input_ids, targets (B, T; shifted, -100 ignored), logits, loss, grad.NAME. "
                 "bert/: the same, with token_type_ids (B, T) and lengths (B); targets (N) and logits (N, V) are those at "
                 "positions (N), counted through B x T; attention.self.key.bias has no true gradient. "
                 "training/: starts from gpt2/param.; input_ids, targets (steps, micro-batches, B, T); loss, "
                 "gradient_norm (before clipping), learning_rate (steps); then param., exp_avg., exp_avg_sq.NAME after "
                 "the last step. Its rules are those of gpt2-training (tests/tools/make_gpt2_golden.py). The middle "
                 "third (keys) of attn.c_attn.bias has no true gradient: leave it out after training.",
        "ops": {name: description for name, (description, _, _) in OPS.items()},
        "adamw": ADAMW, "clip": {"max_norm": MAX_NORM}, "settings": SETTINGS,
        "models": {"gpt2": CONFIG, "bert": BERT_CONFIG}})


if __name__ == "__main__":
    main()
