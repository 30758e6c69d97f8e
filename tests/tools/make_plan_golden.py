#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/plans-{gpt2,bert}.safetensors: a small GPT-2 and a small BERT whose executed
layers differ from the plain ones: some do not train, add more or less, see some of the tokens, or have masked units.

Everything is computed in float64 from parameters that are exact in float32 and rounded to float32 only when stored,
so that a test's tolerance measures Espalier's own rounding. The `about` metadata of each file defines its cases; what
can be said of them in a second way is asserted here. Needs python3-torch; run from anywhere:
tests/tools/make_plan_golden.py
"""

import os

import torch

import bert_oracle
import gpt2_oracle
from layer_run import Mask, Run
from safetensors_file import prefixed, save

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden")

GPT2 = {"model_type": "gpt2", "n_layer": 3, "n_embd": 16, "n_head": 4, "n_positions": 12, "vocab_size": 31,
        "n_inner": None, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True}
BERT = {"model_type": "bert", "num_hidden_layers": 3, "hidden_size": 16, "num_attention_heads": 4,
        "intermediate_size": 24, "max_position_embeddings": 12, "vocab_size": 31, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "hidden_act": "gelu", "tie_word_embeddings": True}
B, C, H, HEAD, V = 3, 16, 4, 4, 31
SHORT = 7
LENGTHS = torch.tensor([11, 8, 5])
# TokenSubset's choice for this seed; any other would do as well.
TOKENS_SEED = 6
TOKENS = torch.tensor([[0, 1, 4, 5, 7, 9], [0, 1, 7, 8, 9, 10], [0, 1, 3, 6, 8, 9]])
SCALES = (1.0, 0.5, 2.0)
CLOSED = {"gpt2": (12, 3, 48), "bert": (12, 3, 18)}  # the first units: hidden, heads, feed-forward

ABOUT = (
    "Parameters: param.NAME. Per CASE of `cases`: CASE.input_ids (B, T), INPUTS; CASE.loss (): cross-entropy SUMMED "
    "over the targets; LOGITS; CASE.grad.NAME: the gradient of that sum, missing where a parameter gets none: those "
    "names are `no_gradient`[CASE]. `runs`[CASE] lists the executed layers in order: stored: whose weights; trains: "
    "whether this execution gives these weights a gradient (it passes on the gradient of its input in any case); "
    "scale s: what both sublayers add to the stream is multiplied by s, SCALED; tokens: the name of a tensor, or "
    "null. `rest_trains`[CASE]: whether the parameters outside of the layers train (REST). Cases. frozen: stored "
    "layers 0 and 1 do not train, all else does. frozen-all-below: only stored layer 2 trains. scaled: a scale per "
    "layer. tokens (random-LTD, arXiv 2211.11586): the layer with tokens sees only the positions tokens.index (B, K) "
    "of each sequence, ascending, which Espalier's TokenSubset(K, `tokens_seed`) chooses: these rows form a sequence "
    "of K in which ATTENTION; its rows go back to their places, and the other rows pass by the layer unchanged. masked (MSG, arXiv 2305.02869): factors CASE.mask.hidden "
    "(C), CASE.mask.heads (H), CASE.mask.feed_forward (F), 1 for the first units and 0.3 for the rest, the same "
    "everywhere. With c the hidden mask: MASKED The output of head h of the attention is multiplied by heads[h] "
    "before the output projection (its bias is not), the inner units by feed_forward after the activation; what each "
    "sublayer adds, bias included, is multiplied by c before it is added. A masked norm is ((x - mean) / sqrt(var + "
    "epsilon) * weight + bias) * c with mean = sum(c x) / sum(c) and var = sum(c (x - mean)^2) / sum(c). "
    "masked-closed: the same with 0 in place of 0.3: it equals the plain model that has only the first units "
    "(`closed_config`, heads of the same size), whose gradients it has for them and 0 for the rest. mixed: stored "
    "layer 0 frozen, 1 trained, 1 frozen with scale 0.5, 2 trained; T is 7. bf16_loss: by case, the loss under "
    "PyTorch's bf16 autocast, to choose a tolerance. KEYS")

WORDS = {
    "gpt2": {
        "INPUTS": "CASE.targets (B, T): already shifted; -100 is ignored",
        "LOGITS": "CASE.logits (B, T, V)",
        "SCALED": "x + s * attention(norm(x)), x + s * mlp(norm(x))",
        "REST": "embeddings, of which wte is the head too, and ln_f",
        "ATTENTION": "each attends to itself and the ones before it",
        "MASKED": "the sum of the embeddings is multiplied by c; all norms, ln_f included, are masked norms.",
        "KEYS": "The middle third (keys) of every attn.c_attn.bias has a gradient of exactly 0 in theory (softmax "
                "ignores a shift common to all keys): compare it absolutely."},
    "bert": {
        "INPUTS": "CASE.token_type_ids (B, T), CASE.lengths (B): what comes after is padding, which no token attends "
                  "to; CASE.targets (N) at CASE.positions (N), counted through B x T",
        "LOGITS": "CASE.logits (N, V), at these positions",
        "SCALED": "norm(x + s * attention(x)), norm(x + s * mlp(x))",
        "REST": "embeddings, of which the words' are the head's decoder too, their norm, and cls.*",
        "ATTENTION": "the padding is what was padding before",
        "MASKED": "the sum of the embeddings is multiplied by c before its norm; in the head, the transform's output "
                  "is multiplied by c after the activation, before its norm; all norms, the head's included, are "
                  "masked norms.",
        "KEYS": "attention.self.key.bias has a gradient of exactly 0 in theory (softmax ignores a shift common to all "
                "keys): compare it absolutely."},
}


class Gpt2:
    name, config, inner, layer_prefix = "gpt2", GPT2, 64, "transformer.h."
    adding = ("attn.c_proj.", "mlp.c_proj.")

    @staticmethod
    def parameters():
        return gpt2_oracle.random_parameters(GPT2, 21)

    @staticmethod
    def inputs(generator, T):
        """What the oracle takes, and what is stored."""
        ids = torch.randint(0, V, (B, T + 1), generator=generator)
        targets = ids[:, 1:].clone()
        targets[0, 3] = targets[1, 0] = targets[2, T - 1] = gpt2_oracle.IGNORED
        given = {"input_ids": ids[:, :-1].contiguous()}
        return given, targets, {**given, "targets": targets}, torch.arange(B * T)

    compute = staticmethod(gpt2_oracle.loss_and_gradients)

    @staticmethod
    def loss(parameters, given, targets, layer_map, mask):
        logits = gpt2_oracle.forward(parameters, given["input_ids"], GPT2, layer_map, mask)
        return gpt2_oracle.loss_of(logits.float(), targets, "sum")

    @staticmethod
    def small_config(c, heads, f):
        return {**GPT2, "n_embd": c, "n_head": heads, "n_inner": f}

    @staticmethod
    def first_units(name, shape, c, a, f):
        """By axis, the indices of the first units; a is the width of the attention's heads together."""
        thirds = torch.cat([torch.arange(a) + i * C for i in range(3)])
        c, a, f = torch.arange(c), torch.arange(a), torch.arange(f)
        kinds = {"attn.c_attn.weight": (c, thirds), "attn.c_attn.bias": (thirds,), "attn.c_proj.weight": (a, c),
                 "mlp.c_fc.weight": (c, f), "mlp.c_fc.bias": (f,), "mlp.c_proj.weight": (f, c)}
        plain = (c,) if len(shape) == 1 else (torch.arange(shape[0]), c)
        return next((axes for end, axes in kinds.items() if name.endswith(end)), plain)


class Bert:
    name, config, inner, layer_prefix = "bert", BERT, 24, "bert.encoder.layer."
    adding = ("output.dense.",)

    @staticmethod
    def parameters():
        return bert_oracle.random_parameters(BERT, 22)

    @staticmethod
    def inputs(generator, T):
        """What the oracle takes, and what is stored."""
        lengths = LENGTHS.clamp(max=T)
        given = {"input_ids": torch.randint(0, V, (B, T), generator=generator),
                 "token_type_ids": (torch.arange(T)[None, :] >= torch.tensor([5, 3, 2])[:, None]).long(),
                 "lengths": lengths}
        places = [(0, 1), (0, 5), (0, 6), (0, 9), (1, 0), (1, 2), (1, 7), (2, 1), (2, 4)]
        positions = torch.tensor([b * T + t for b, t in places if t < lengths[b]])
        targets = torch.full((B * T,), bert_oracle.IGNORED)
        targets[positions] = torch.randint(0, V, positions.shape, generator=generator)
        return given, targets.reshape(B, T), {**given, "positions": positions, "targets": targets[positions]}, positions

    compute = staticmethod(bert_oracle.loss_and_gradients)

    @staticmethod
    def loss(parameters, given, targets, layer_map, mask):
        x = bert_oracle.hidden(parameters, config=BERT, layer_map=layer_map, mask=mask, **given)
        return bert_oracle.loss_of(bert_oracle.logits(parameters, x, BERT, mask).float(), targets, "sum")

    @staticmethod
    def small_config(c, heads, f):
        return {**BERT, "hidden_size": c, "num_attention_heads": heads, "intermediate_size": f}

    @staticmethod
    def first_units(name, shape, c, a, f):
        """By axis, the indices of the first units; a is the width of the attention's heads together."""
        c, a, f = torch.arange(c), torch.arange(a), torch.arange(f)
        kinds = {"attention.output.dense.weight": (c, a), "intermediate.dense.weight": (f, c),
                 "intermediate.dense.bias": (f,), "cls.predictions.transform.dense.weight": (c, c),
                 "cls.predictions.bias": (torch.arange(V),), "output.dense.weight": (c, f),
                 **{f"attention.self.{part}.weight": (a, c) for part in ("query", "key", "value")},
                 **{f"attention.self.{part}.bias": (a,) for part in ("query", "key", "value")}}
        plain = (c,) if len(shape) == 1 else (torch.arange(shape[0]), c)
        return next((axes for end, axes in kinds.items() if name.endswith(end)), plain)


def mask_of(model, c, heads, f, rest):
    """1 for the first units, rest for the others."""
    def first(count, total):
        values = torch.full((total,), rest, dtype=torch.float32).double()
        values[:count] = 1
        return values

    return Mask(first(c, C), first(heads, H), first(f, model.inner))


def cases_of(model):
    """case: (runs, mask, whether the rest trains, T)."""
    T = 11
    plain, frozen = [Run(0), Run(1), Run(2)], [Run(0, trains=False), Run(1, trains=False), Run(2)]
    return {
        "frozen": (frozen, Mask(), True, T),
        "frozen-all-below": (frozen, Mask(), False, T),
        "scaled": ([Run(i, scale=s) for i, s in enumerate(SCALES)], Mask(), True, T),
        "tokens": ([Run(0), Run(1, tokens=TOKENS), Run(2)], Mask(), True, T),
        "masked": (plain, mask_of(model, *CLOSED[model.name], 0.3), True, T),
        "masked-closed": (plain, mask_of(model, *CLOSED[model.name], 0.0), True, T),
        "mixed": ([Run(0, trains=False), Run(1), Run(1, trains=False, scale=0.5), Run(2)], Mask(), True, SHORT),
    }


def same(a, b):
    assert torch.allclose(a, b, rtol=1e-10, atol=1e-12), (a - b).abs().max()


def same_results(a, b):
    """Of loss_and_gradients: logits, loss, and gradients where both have them."""
    same(a[0], b[0])
    same(a[1], b[1])
    for name in a[2].keys() & b[2].keys():
        same(a[2][name], b[2][name])


def check(model, parameters, given, targets, results):
    """The cases against the plain model, as far as they have something to do with it."""
    def run(layer_map=None, mask=Mask(), config=model.config, parameters=parameters):
        return model.compute(parameters, targets=targets, config=config, layer_map=layer_map, mask=mask,
                             reduction="sum", **given)

    plain = run()
    everywhere = torch.arange(given["input_ids"].shape[1]).expand(B, -1)
    ones = Mask(torch.ones(C), torch.ones(H), torch.ones(model.inner))
    assert plain[2].keys() == parameters.keys()
    same_results(run([Run(i, tokens=everywhere) for i in range(3)], ones), plain)

    # Freezing takes gradients away and changes none.
    of_layers = [{name for name in parameters if name.startswith(f"{model.layer_prefix}{i}.")} for i in range(3)]
    same_results(results["frozen"], plain)
    same_results(results["frozen-all-below"], plain)
    assert results["frozen"][2].keys() == parameters.keys() - of_layers[0] - of_layers[1]
    assert results["frozen-all-below"][2].keys() == of_layers[2]
    assert results["mixed"][2].keys() == parameters.keys() - of_layers[0]

    # A factor of what is added is one of the projections that add it; of scale 0, a pre-norm layer is not there.
    scaled = {name: value * SCALES[int(name[len(model.layer_prefix):].split(".")[0])]
              if name.startswith(model.layer_prefix) and any(part in name for part in model.adding) else value
              for name, value in parameters.items()}
    scaled = run(parameters=scaled)
    same(results["scaled"][0], scaled[0])
    same(results["scaled"][1], scaled[1])
    if model is Gpt2:
        same_results(run([Run(0), Run(1, scale=0.0), Run(2)]), run([Run(0), Run(2)]))

    # Closed masks leave the small model that has only the first units. The first sizes are those of the golden; in the
    # second, the heads together are wider than the hidden units.
    for c, heads, f in (CLOSED[model.name], (8, 3, 17)):
        axes = {name: model.first_units(name, value.shape, c, heads * HEAD, f) for name, value in parameters.items()}
        small = {}
        for name, value in parameters.items():
            small[name] = value[axes[name]] if value.dim() == 1 else value[axes[name][0][:, None], axes[name][1]]
        closed = run(mask=mask_of(model, c, heads, f, 0.0))
        logits, loss, gradients = run(config=model.small_config(c, heads, f), parameters=small)
        spread = {}
        for name, value in gradients.items():
            spread[name] = torch.zeros_like(parameters[name])
            spread[name][axes[name] if value.dim() == 1 else (axes[name][0][:, None], axes[name][1])] = value
        assert spread.keys() == closed[2].keys()
        same_results(closed, (logits, loss, spread))
        if (c, heads, f) == CLOSED[model.name]:
            same_results(results["masked-closed"], closed)


def write(model):
    parameters, tensors = model.parameters(), {}
    metadata = {"runs": {}, "rest_trains": {}, "no_gradient": {}, "bf16_loss": {}}
    inputs = {T: model.inputs(torch.Generator().manual_seed(23), T) for T in (11, SHORT)}
    results = {}
    for case, (runs, mask, rest_trains, T) in cases_of(model).items():
        given, targets, stored, positions = inputs[T]
        frozen = () if rest_trains else {name for name in parameters if not name.startswith(model.layer_prefix)}
        results[case] = logits, loss, gradients = model.compute(
            parameters, targets=targets, config=model.config, layer_map=runs, mask=mask, frozen=frozen,
            reduction="sum", **given)
        logits = logits if model is Gpt2 else logits.reshape(-1, V)[positions]
        tensors.update({**prefixed(f"{case}.", stored), f"{case}.logits": logits, f"{case}.loss": loss,
                        **prefixed(f"{case}.grad.", gradients)})
        if mask.hidden is not None:
            tensors.update(prefixed(f"{case}.mask.", vars(mask)))
        metadata["runs"][case] = [
            {"stored": run.stored, "trains": run.trains, "scale": run.scale,
             "tokens": None if run.tokens is None else f"{case}.index"} for run in runs]
        tensors.update({f"{case}.index": run.tokens for run in runs if run.tokens is not None})
        metadata["rest_trains"][case] = rest_trains
        metadata["no_gradient"][case] = [name for name in parameters if name not in gradients]
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            single = {name: value.float() for name, value in parameters.items()}
            metadata["bf16_loss"][case] = model.loss(single, given, targets, runs, mask).item()
    check(model, parameters, *inputs[11][:2], results)
    about = ABOUT
    for placeholder, words in WORDS[model.name].items():
        assert about.count(placeholder) == 1
        about = about.replace(placeholder, words)
    save(os.path.join(GOLDEN, f"plans-{model.name}.safetensors"), {**prefixed("param.", parameters), **tensors},
         {"about": about, "config": model.config, "closed_config": model.small_config(*CLOSED[model.name]),
          "cases": list(results), "tokens_seed": TOKENS_SEED, **metadata})


if __name__ == "__main__":
    write(Gpt2)
    write(Bert)
