"""BERT with its masked-language-model head as Hugging Face's BertForMaskedLM defines it, in plain PyTorch: the oracle of
the golden tests.

It shares no code with Espalier and favours the textbook form over speed. Parameters are a dict under Hugging Face's
names; linear weights are [out, in]. B sequences, T tokens, C width, H heads, V vocabulary.
"""

import math

import torch
import torch.nn.functional as F

from layer_run import Mask, masked_norm, put, runs_of, take, times

IGNORED = -100


def shapes(config):
    C, I, V = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    result = {"bert.embeddings.word_embeddings.weight": (V, C),
              "bert.embeddings.position_embeddings.weight": (config["max_position_embeddings"], C),
              "bert.embeddings.token_type_embeddings.weight": (config["type_vocab_size"], C),
              "bert.embeddings.LayerNorm.weight": (C,), "bert.embeddings.LayerNorm.bias": (C,)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"bert.encoder.layer.{layer}."
        linear = {"attention.self.query": (C, C), "attention.self.key": (C, C), "attention.self.value": (C, C),
                  "attention.output.dense": (C, C), "intermediate.dense": (I, C), "output.dense": (C, I)}
        for name, (out, into) in linear.items():
            result[prefix + name + ".weight"], result[prefix + name + ".bias"] = (out, into), (out,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            result[prefix + name + ".weight"], result[prefix + name + ".bias"] = (C,), (C,)
    result.update({"cls.predictions.transform.dense.weight": (C, C), "cls.predictions.transform.dense.bias": (C,),
                   "cls.predictions.transform.LayerNorm.weight": (C,), "cls.predictions.transform.LayerNorm.bias": (C,),
                   "cls.predictions.bias": (V,)})
    return result


def random_parameters(config, seed):
    """Weights that exercise everything: no bias is 0, no norm is 1. float64 tensors that hold exact float32 values."""
    generator = torch.Generator().manual_seed(seed)

    def draw(name, shape):
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        if "LayerNorm" in name:
            return 0.2 * values + (1.0 if name.endswith("weight") else 0.0)
        if name.endswith("bias"):
            return 0.1 * values
        return values * (0.5 if "_embeddings" in name else shape[1] ** -0.5)

    return {name: draw(name, shape).float().double() for name, shape in shapes(config).items()}


def layer_norm(x, weight, bias, epsilon, c=None):
    """c: the mask of hidden units."""
    if c is not None:
        return masked_norm(x, weight, bias, epsilon, c)
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + epsilon) * weight + bias


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def linear(w, x, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def layer_output(w, x, lengths, config, scale, mask):
    """x after one layer of weights w; keys from lengths (B) on are padding."""
    (B, T, _), H = x.shape, config["num_attention_heads"]
    visible = (torch.arange(T)[None, :] < lengths[:, None])[:, None, None, :]

    def add(x, sublayer, name):
        return layer_norm(x + scale * times(sublayer, mask.hidden), w[name + ".weight"], w[name + ".bias"],
                          config["layer_norm_eps"], mask.hidden)

    q, k, v = (linear(w, x, f"attention.self.{part}").reshape(B, T, H, -1).transpose(1, 2)
               for part in ("query", "key", "value"))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    mixed = scores.masked_fill(~visible, float("-inf")).softmax(-1) @ v
    mixed = times(mixed.permute(0, 2, 3, 1), mask.heads).transpose(2, 3).reshape(B, T, -1)
    x = add(x, linear(w, mixed, "attention.output.dense"), "attention.output.LayerNorm")
    inner = times(gelu(linear(w, x, "intermediate.dense")), mask.feed_forward)
    return add(x, linear(w, inner, "output.dense"), "output.LayerNorm")


def hidden(p, input_ids, config, token_type_ids=None, lengths=None, layer_map=None, mask=Mask()):
    """(B, T, C); layer_map holds a Run or the stored layer of each executed one (default: each once, in order)."""
    B, T = input_ids.shape
    types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
    lengths = torch.full((B,), T) if lengths is None else lengths
    e = "bert.embeddings."
    x = (p[e + "word_embeddings.weight"][input_ids] + p[e + "position_embeddings.weight"][:T]
         + p[e + "token_type_embeddings.weight"][types])
    x = layer_norm(times(x, mask.hidden), p[e + "LayerNorm.weight"], p[e + "LayerNorm.bias"], config["layer_norm_eps"],
                   mask.hidden)
    for run in runs_of(layer_map, config["num_hidden_layers"]):
        prefix = f"bert.encoder.layer.{run.stored}."
        w = {name[len(prefix):]: value if run.trains else value.detach()
             for name, value in p.items() if name.startswith(prefix)}
        if run.tokens is None:
            x = layer_output(w, x, lengths, config, run.scale, mask)
        else:
            # Real tokens come before padding in a sequence, and so among the kept ones.
            kept = torch.stack([(tokens < length).sum() for tokens, length in zip(run.tokens, lengths)])
            x = put(x, run.tokens, layer_output(w, take(x, run.tokens), kept, config, run.scale, mask))
    return x


def logits(p, x, config, mask=Mask()):
    h = times(gelu(linear(p, x, "cls.predictions.transform.dense")), mask.hidden)
    h = layer_norm(h, p["cls.predictions.transform.LayerNorm.weight"], p["cls.predictions.transform.LayerNorm.bias"],
                   config["layer_norm_eps"], mask.hidden)
    decoder = p.get("cls.predictions.decoder.weight", p["bert.embeddings.word_embeddings.weight"])
    return h @ decoder.T + p["cls.predictions.bias"]


def sequence_scores(p, input_ids, config, **inputs):
    """(B, outputs), as BertForSequenceClassification: the pooler on [CLS], then the classifier."""
    first = hidden(p, input_ids, config, **inputs)[:, 0]
    pooled = torch.tanh(first @ p["bert.pooler.dense.weight"].T + p["bert.pooler.dense.bias"])
    return pooled @ p["classifier.weight"].T + p["classifier.bias"]


def loss_of(scores, targets, reduction="mean"):
    """targets (B, T): IGNORED where nothing is masked."""
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), targets.reshape(-1), ignore_index=IGNORED,
                           reduction=reduction)


def loss_and_gradients(parameters, input_ids, targets, config, mask=Mask(), frozen=(), reduction="mean", **inputs):
    """(logits, loss, gradients); frozen: names that do not train. A parameter without gradient is missing."""
    leaves = {name: value.clone().requires_grad_(name not in frozen) for name, value in parameters.items()}
    scores = logits(leaves, hidden(leaves, input_ids, config, mask=mask, **inputs), config, mask)
    loss = loss_of(scores, targets, reduction)
    loss.backward()
    gradients = {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    return scores.detach(), loss.detach(), gradients
