#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/ligo-{gpt2,bert}.safetensors: a small GPT-2 and a small BERT, grown in depth and in
width by a linear map that learns (LiGO, arXiv 2303.00980).

The map is the paper's formula, W'_i = sum_j w_ij B W_j A^T, written out for each named matrix; torch.optim.Adam and
torch's clipping do the learning. Everything is computed in float64 from numbers that are exact in float32 and rounded to
float32 only when stored, so that a test's tolerance measures Espalier's own rounding. Needs python3-torch; run from
anywhere: tests/tools/make_ligo_golden.py
"""

import os

import torch

import bert_oracle
import gpt2_oracle
from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

B, T, V, HEAD = 3, 5, 11, 3
OLD, NEW = {"layers": 2, "heads": 2, "F": 24}, {"layers": 3, "heads": 3, "F": 36}
GPT2 = {"model_type": "gpt2", "n_embd": None, "n_head": None, "n_layer": None, "n_positions": 6, "vocab_size": V,
        "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": False}
BERT = {"model_type": "bert", "hidden_size": None, "num_attention_heads": None, "num_hidden_layers": None,
        "intermediate_size": None, "max_position_embeddings": 6, "vocab_size": V, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "hidden_act": "gelu", "tie_word_embeddings": True}
SETTINGS = {"learning_rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "clip_norm": 1.0, "steps": 4}

ABOUT = (
    "A model of `config`, parameters param.NAME, is grown to `grown`. Its map has matrices (new, old): `layers ROLE` = w "
    "for each ROLE of a layer; Hidden; for layer i of the grown model `Heads i`, of all elements of all heads, and `Ffn i`. "
    "B of what a weight writes is the matrix of that axis, as it is for norms and biases; A of what it reads is the matrix "
    "times diag(s), s = one over the number of units of the grown model that a cyclic copy makes of each old one. WORDS "
    "start.MATRIX is where the map starts. Step k of `settings` reads input_ids[k] (B, T) and predicts targets[k] (B, T); "
    "loss (steps) is the mean cross-entropy before each step, gradient_norm (steps) the norm of its gradient before "
    "clipping; the steps are those of torch.optim.Adam. grad.MATRIX is the gradient of step 0 of the loss SUMMED over the "
    "targets; end.MATRIX and grown.NAME are what there is after the last step. `undetermined`: matrices without gradient "
    "in theory, for the keys' bias changes no score: do not compare them, nor the biases that they make.")


def copies(units, grown, size=1):
    """For each old element, how many of the grown model's are its cyclic copies."""
    counts = torch.zeros(units, dtype=torch.float64)
    for unit in range(grown):
        counts[unit % units] += 1
    return counts.repeat_interleave(size)


SHARES = {"Hidden": 1 / copies(OLD["heads"] * HEAD, NEW["heads"] * HEAD),
          "Heads": 1 / copies(OLD["heads"], NEW["heads"], HEAD),
          "Ffn": 1 / copies(OLD["F"], NEW["F"])}


class Gpt2:
    name = "gpt2"
    layer_prefix = "transformer.h."
    # (what it reads, what it writes): weights lie (in, out).
    in_layer = {"ln_1.weight": (None, "Hidden"), "ln_1.bias": (None, "Hidden"),
                "attn.c_attn.weight": ("Hidden", "Heads"), "attn.c_attn.bias": (None, "Heads"),
                "attn.c_proj.weight": ("Heads", "Hidden"), "attn.c_proj.bias": (None, "Hidden"),
                "ln_2.weight": (None, "Hidden"), "ln_2.bias": (None, "Hidden"),
                "mlp.c_fc.weight": ("Hidden", "Ffn"), "mlp.c_fc.bias": (None, "Ffn"),
                "mlp.c_proj.weight": ("Ffn", "Hidden"), "mlp.c_proj.bias": (None, "Hidden")}
    words = "The three thirds of c_attn are mapped one by one. The head is a matrix of its own, which reads."
    undetermined = []

    @staticmethod
    def config(sizes):
        return {**GPT2, "n_layer": sizes["layers"], "n_head": sizes["heads"], "n_embd": sizes["heads"] * HEAD}

    @staticmethod
    def parameters():
        config = Gpt2.config(OLD)
        head = torch.randn((V, config["n_embd"]), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
        return {**gpt2_oracle.random_parameters(config, 31), "lm_head.weight": (0.5 * head).float().double()}

    @staticmethod
    def rest(p, write, read):
        return {"transformer.wte.weight": p["transformer.wte.weight"] @ write.T,
                "transformer.wpe.weight": p["transformer.wpe.weight"] @ write.T,
                "transformer.ln_f.weight": write @ p["transformer.ln_f.weight"],
                "transformer.ln_f.bias": write @ p["transformer.ln_f.bias"],
                "lm_head.weight": p["lm_head.weight"] @ read.T}

    @staticmethod
    def mapped(value, read, write, role):
        """A W B^T, for W (in, out)."""
        if role.startswith("attn.c_attn."):
            thirds = value.chunk(3, -1)
            return torch.cat([third @ write.T if read is None else read @ third @ write.T for third in thirds], -1)
        return write @ value if read is None else read @ value @ write.T

    @staticmethod
    def loss_sum(p, input_ids, targets):
        return gpt2_oracle.loss_of(gpt2_oracle.forward(p, input_ids, Gpt2.config(NEW)), targets, "sum")


class Bert:
    name = "bert"
    layer_prefix = "bert.encoder.layer."
    in_layer = {}
    for _name, _axes in {"attention.self.query": ("Hidden", "Heads"), "attention.self.key": ("Hidden", "Heads"),
                         "attention.self.value": ("Hidden", "Heads"), "attention.output.dense": ("Heads", "Hidden"),
                         "attention.output.LayerNorm": (None, "Hidden"), "intermediate.dense": ("Hidden", "Ffn"),
                         "output.dense": ("Ffn", "Hidden"), "output.LayerNorm": (None, "Hidden")}.items():
        in_layer[_name + ".weight"], in_layer[_name + ".bias"] = _axes, (None, _axes[1])
    words = ("The head's decoder is the token embedding, which writes; so the weight and the bias of the head's norm are "
             "mapped by A in place of B.")
    undetermined = ["layers attention.self.key.bias"]

    @staticmethod
    def config(sizes):
        return {**BERT, "num_hidden_layers": sizes["layers"], "num_attention_heads": sizes["heads"],
                "hidden_size": sizes["heads"] * HEAD, "intermediate_size": sizes["F"]}

    @staticmethod
    def parameters():
        return bert_oracle.random_parameters(Bert.config(OLD), 32)

    @staticmethod
    def rest(p, write, read):
        e, h = "bert.embeddings.", "cls.predictions."
        grown = {e + f"{name}.weight": p[e + f"{name}.weight"] @ write.T
                 for name in ("word_embeddings", "position_embeddings", "token_type_embeddings")}
        grown.update({e + f"LayerNorm.{part}": write @ p[e + f"LayerNorm.{part}"] for part in ("weight", "bias")})
        grown.update({h + "transform.dense.weight": write @ p[h + "transform.dense.weight"] @ read.T,
                      h + "transform.dense.bias": write @ p[h + "transform.dense.bias"],
                      h + "transform.LayerNorm.weight": read @ p[h + "transform.LayerNorm.weight"],
                      h + "transform.LayerNorm.bias": read @ p[h + "transform.LayerNorm.bias"],
                      h + "bias": p[h + "bias"]})
        return grown

    @staticmethod
    def mapped(value, read, write, role):
        """B W A^T, for W (out, in)."""
        return write @ value if read is None else write @ value @ read.T

    @staticmethod
    def loss_sum(p, input_ids, targets):
        config = Bert.config(NEW)
        return bert_oracle.loss_of(bert_oracle.logits(p, bert_oracle.hidden(p, input_ids, config), config), targets, "sum")


def start(model):
    """Copies with much noise: nothing is 0, and no two rows are alike."""
    generator = torch.Generator().manual_seed(33)

    def near_copies(old, new, noise):
        matrix = noise * torch.randn((new, old), generator=generator, dtype=torch.float64)
        matrix[torch.arange(new), torch.arange(new) % old] += 1
        return matrix.float().double()

    matrices = {f"layers {role}": near_copies(OLD["layers"], NEW["layers"], 0.2) for role in model.in_layer}
    matrices["Hidden"] = near_copies(OLD["heads"] * HEAD, NEW["heads"] * HEAD, 0.1)
    for layer in range(NEW["layers"]):
        matrices[f"Heads {layer}"] = near_copies(OLD["heads"] * HEAD, NEW["heads"] * HEAD, 0.1)
        matrices[f"Ffn {layer}"] = near_copies(OLD["F"], NEW["F"], 0.1)
    return matrices


def grown(model, p, matrices):
    """W'_i = sum_j w_ij B W_j A^T."""
    def of(kind, layer):
        return matrices["Hidden" if kind == "Hidden" else f"{kind} {layer}"]

    def reading(kind, layer):
        return None if kind is None else of(kind, layer) @ torch.diag(SHARES[kind])

    result = model.rest(p, of("Hidden", None), reading("Hidden", None))
    for i in range(NEW["layers"]):
        for role, (read, write) in model.in_layer.items():
            w = matrices[f"layers {role}"]
            result[f"{model.layer_prefix}{i}.{role}"] = sum(
                w[i, j] * model.mapped(p[f"{model.layer_prefix}{j}.{role}"], reading(read, i), of(write, i), role)
                for j in range(OLD["layers"]))
    return result


def write(model):
    s, p, first = SETTINGS, model.parameters(), start(model)
    generator = torch.Generator().manual_seed(34)
    input_ids = torch.randint(0, V, (s["steps"], B, T), generator=generator)
    targets = torch.randint(0, V, (s["steps"], B, T), generator=generator)
    matrices = {name: value.clone().requires_grad_() for name, value in first.items()}
    optimizer = torch.optim.Adam(matrices.values(), lr=s["learning_rate"], betas=(s["beta1"], s["beta2"]), eps=s["epsilon"])
    losses, norms, gradients = [], [], {}
    for k in range(s["steps"]):
        optimizer.zero_grad()
        loss = model.loss_sum(grown(model, p, matrices), input_ids[k], targets[k]) / targets[k].numel()
        loss.backward()
        if k == 0:
            gradients = {name: matrix.grad * targets[k].numel() for name, matrix in matrices.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(matrices.values(), s["clip_norm"]))
        losses.append(loss.detach())
        optimizer.step()
    assert min(norms) > 0 and losses[-1] == losses[-1]
    print(model.name, "losses", [round(loss.item(), 4) for loss in losses], "norms", [round(n.item(), 3) for n in norms])
    save(os.path.join(GOLDEN, f"ligo-{model.name}.safetensors"),
         {**prefixed("param.", p), **prefixed("start.", first), **prefixed("grad.", gradients),
          "input_ids": input_ids, "targets": targets, "loss": torch.stack(losses), "gradient_norm": torch.stack(norms),
          **prefixed("end.", matrices), **prefixed("grown.", grown(model, p, matrices))},
         {"about": ABOUT.replace("WORDS", model.words), "config": model.config(OLD), "grown": model.config(NEW),
          "settings": s, "undetermined": model.undetermined})


if __name__ == "__main__":
    write(Gpt2)
    write(Bert)
