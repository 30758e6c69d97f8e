"""GPT-2 as Hugging Face defines it, and its training with growth, in plain PyTorch: the oracle of the golden tests.

It shares no code with Espalier and favours the textbook form over speed. Parameters are a dict under Hugging Face's
names; Conv1D weights are [in, out]. B sequences, T tokens, C width, H heads, V vocabulary.
"""

import math

import torch
import torch.nn.functional as F

from layer_run import Mask, masked_norm, put, runs_of, take, times

IGNORED = -100


def layer_shapes(config):
    C, I = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]
    return {
        "ln_1.weight": (C,), "ln_1.bias": (C,),
        "attn.c_attn.weight": (C, 3 * C), "attn.c_attn.bias": (3 * C,),
        "attn.c_proj.weight": (C, C), "attn.c_proj.bias": (C,),
        "ln_2.weight": (C,), "ln_2.bias": (C,),
        "mlp.c_fc.weight": (C, I), "mlp.c_fc.bias": (I,),
        "mlp.c_proj.weight": (I, C), "mlp.c_proj.bias": (C,),
    }


def random_parameters(config, seed):
    """Weights that exercise everything: no bias is 0, no norm is 1. float64 tensors that hold exact float32 values."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"transformer.wte.weight": (config["vocab_size"], config["n_embd"]),
              "transformer.wpe.weight": (config["n_positions"], config["n_embd"])}
    for layer in range(config["n_layer"]):
        shapes.update({f"transformer.h.{layer}.{name}": shape for name, shape in layer_shapes(config).items()})
    shapes.update({"transformer.ln_f.weight": (config["n_embd"],), "transformer.ln_f.bias": (config["n_embd"],)})

    def draw(name, shape):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        if ".ln_" in name:
            return 0.2 * values + (1.0 if name.endswith("weight") else 0.0)
        if name.endswith("bias"):
            return 0.1 * values
        return values * (0.5 if ".wte" in name or ".wpe" in name else shape[0] ** -0.5)

    return {name: draw(name, shape).float().double() for name, shape in shapes.items()}


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def layer_norm(x, weight, bias, epsilon, c=None):
    """c: the mask of hidden units."""
    if c is not None:
        return masked_norm(x, weight, bias, epsilon, c)
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + epsilon) * weight + bias


def causal_attention(q, k, v):
    """q, k, v: (B, H, T, head size)."""
    T = q.shape[-2]
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    visible = torch.ones(T, T, dtype=torch.bool).tril()
    return scores.masked_fill(~visible, float("-inf")).softmax(-1) @ v


def layer_output(w, x, config, scale, mask):
    """x after one layer of weights w."""
    (B, T, _), H, epsilon = x.shape, config["n_head"], config["layer_norm_epsilon"]

    def add(x, y, name):
        """x plus what a sublayer adds: scale * mask * (y W + b)."""
        return (x + scale * times(y @ w[name + ".weight"], mask.hidden)) + scale * times(w[name + ".bias"], mask.hidden)

    h = layer_norm(x, w["ln_1.weight"], w["ln_1.bias"], epsilon, mask.hidden)
    q, k, v = (h @ w["attn.c_attn.weight"] + w["attn.c_attn.bias"]).chunk(3, -1)
    q, k, v = (part.reshape(B, T, H, -1).transpose(1, 2) for part in (q, k, v))
    mixed = times(causal_attention(q, k, v).permute(0, 2, 3, 1), mask.heads)
    mixed = mixed.transpose(2, 3).reshape(B, T, -1)
    x = add(x, mixed, "attn.c_proj")
    h = layer_norm(x, w["ln_2.weight"], w["ln_2.bias"], epsilon, mask.hidden)
    inner = times(gelu_tanh(h @ w["mlp.c_fc.weight"] + w["mlp.c_fc.bias"]), mask.feed_forward)
    return add(x, inner, "mlp.c_proj")


def hidden(parameters, input_ids, config, layer_map=None, mask=Mask()):
    """(B, T, C); layer_map holds a Run or the stored layer of each executed one (default: each once, in order)."""
    T = input_ids.shape[1]
    p = {name[len("transformer."):]: value for name, value in parameters.items() if name.startswith("transformer.")}
    x = times(p["wte.weight"][input_ids] + p["wpe.weight"][:T], mask.hidden)
    for run in runs_of(layer_map, config["n_layer"]):
        w = {name: p[f"h.{run.stored}.{name}"] for name in layer_shapes(config)}
        w = w if run.trains else {name: value.detach() for name, value in w.items()}
        if run.tokens is None:
            x = layer_output(w, x, config, run.scale, mask)
        else:
            x = put(x, run.tokens, layer_output(w, take(x, run.tokens), config, run.scale, mask))
    return layer_norm(x, p["ln_f.weight"], p["ln_f.bias"], config["layer_norm_epsilon"], mask.hidden)


def forward(parameters, input_ids, config, layer_map=None, mask=Mask()):
    """Logits (B, T, V)."""
    head = parameters.get("lm_head.weight", parameters["transformer.wte.weight"])
    return hidden(parameters, input_ids, config, layer_map, mask) @ head.T


def sequence_scores(parameters, input_ids, config, lengths):
    """(B, outputs), as GPT2ForSequenceClassification: at the last token before the padding."""
    last = hidden(parameters, input_ids, config)[torch.arange(len(input_ids)), lengths - 1]
    return last @ parameters["score.weight"].T


def loss_of(logits, targets, reduction="mean"):
    """Cross-entropy over the targets that are not ignored; targets (B, T) are already shifted."""
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=IGNORED,
                           reduction=reduction)


def loss_and_gradients(parameters, input_ids, targets, config, layer_map=None, mask=Mask(), frozen=(),
                       reduction="mean"):
    """(logits, loss, gradients); frozen: names that do not train. A parameter without gradient is missing."""
    leaves = {name: value.clone().requires_grad_(name not in frozen) for name, value in parameters.items()}
    logits = forward(leaves, input_ids, config, layer_map, mask)
    loss = loss_of(logits, targets, reduction)
    loss.backward()
    gradients = {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    return logits.detach(), loss.detach(), gradients


def interpolate(stored, executed):
    return [i * stored // executed for i in range(executed)]


def stack(stored, executed):
    """Whole copies, and on top the last layers once more."""
    rest = executed % stored
    return list(range(stored)) * (executed // stored) + list(range(stored - rest, stored))


def learning_rate(step, peak, final, warmup, total):
    if step < warmup:
        return peak * (step + 1) / warmup
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def _grow(values, layer_map, source_of):
    """Renames per-layer entries to the grown model; source_of(i) is the old layer of new layer i, or None."""
    grown = {name: value for name, value in values.items() if not name.startswith("transformer.h.")}
    for new in range(len(layer_map)):
        old = source_of(new)
        for name, value in values.items():
            if old is not None and name.startswith(f"transformer.h.{old}."):
                grown[name.replace(f".h.{old}.", f".h.{new}.", 1)] = value
    return grown


class Training:
    """AdamW over named parameters, grown in depth between steps. torch.optim.AdamW does the arithmetic and the
    counting: what it keeps of a parameter (moments and number of steps) begins with the first gradient of that parameter."""

    def __init__(self, parameters, config, settings):
        self.config, self.settings, self.updates = dict(config), settings, 0
        self._build(parameters, {})

    def _build(self, parameters, states):
        """states: what an optimizer kept, by name; a parameter without one begins anew."""
        self.parameters = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        decay = [p for p in self.parameters.values() if p.dim() >= 2]
        plain = [p for p in self.parameters.values() if p.dim() < 2]
        s = self.settings
        self.optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": s["weight_decay"]}, {"params": plain, "weight_decay": 0.0}],
            lr=s["peak"], betas=(s["beta1"], s["beta2"]), eps=s["epsilon"])
        for name, state in states.items():
            self.optimizer.state[self.parameters[name]] = {key: value.clone() for key, value in state.items()}

    def _states(self):
        return {name: self.optimizer.state[p] for name, p in self.parameters.items() if p in self.optimizer.state}

    def moments(self, which):
        return {name: state[which] for name, state in self._states().items()}

    def step_counts(self):
        return {name: int(state["step"]) for name, state in self._states().items()}

    def grow(self, layers, moments):
        """Depth growth by interpolation. What the optimizer kept of a layer (moments and number of steps) stays at its
        index (moments 'keep': new layers have none), follows the weights ('map'), or is forgotten, as is that of all
        other parameters ('reset')."""
        old_layers = self.config["n_layer"]
        layer_map = interpolate(old_layers, layers)
        source_of = {"keep": lambda i: i if i < old_layers else None, "map": layer_map.__getitem__}
        parameters = _grow({n: p.detach() for n, p in self.parameters.items()}, layer_map, layer_map.__getitem__)
        states = {} if moments == "reset" else _grow(self._states(), layer_map, source_of[moments])
        self.config["n_layer"] = layers
        self._build(parameters, states)

    def update(self, micro_batches, layer_maps=None):
        """One optimizer step over micro-batches [(input_ids, targets)]; returns (loss, gradient norm, learning rate).
        The loss is the mean over the targets of all micro-batches, each target counting the same."""
        s = self.settings
        rate = learning_rate(self.updates, s["peak"], s["final"], s["warmup"], s["steps"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # A parameter that gets no gradient must have none: a zero would be a gradient to AdamW.
        self.optimizer.zero_grad(set_to_none=True)
        count = sum((targets != IGNORED).sum().item() for _, targets in micro_batches)
        total = 0.0
        for i, (input_ids, targets) in enumerate(micro_batches):
            layer_map = None if layer_maps is None else layer_maps[i]
            logits = forward(self.parameters, input_ids, self.config, layer_map)
            loss = loss_of(logits, targets, "sum") / count
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), s["clip_norm"])
        self.optimizer.step()
        self.updates += 1
        return total, norm.item(), rate
