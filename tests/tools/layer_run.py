"""How one execution of a stored layer may differ from the plain one, for both oracles. Written for clarity, not speed.

B sequences, T tokens, C width, H heads, F feed-forward units.
"""

import dataclasses
from typing import Optional

import torch


@dataclasses.dataclass(frozen=True)
class Run:
    """One executed layer."""
    stored: int                             # the stored layer whose weights it uses
    trains: bool = True                     # whether this execution gives those weights a gradient
    scale: float = 1.0                      # factor of what either sublayer adds to the stream
    tokens: Optional[torch.Tensor] = None   # (B, K), ascending by sequence: the positions it sees; default all


@dataclasses.dataclass(frozen=True)
class Mask:
    """Factors of units, the same for the whole model; None stands for ones."""
    hidden: Optional[torch.Tensor] = None        # (C,)
    heads: Optional[torch.Tensor] = None         # (H,), times each head's output, before the output projection
    feed_forward: Optional[torch.Tensor] = None  # (F,), after the activation


def runs_of(layer_map, layers):
    """A list of runs from one that may hold the numbers of stored layers instead; None: each layer once, in order."""
    return [run if isinstance(run, Run) else Run(run) for run in (range(layers) if layer_map is None else layer_map)]


def times(x, factors):
    return x if factors is None else x * factors.to(x.dtype)


def masked_norm(x, weight, bias, epsilon, c):
    """Layer normalization in which unit i counts c[i] times."""
    c = c.to(x.dtype)
    mean = (c * x).sum(-1, keepdim=True) / c.sum()
    variance = (c * (x - mean) ** 2).sum(-1, keepdim=True) / c.sum()
    return ((x - mean) / torch.sqrt(variance + epsilon) * weight + bias) * c


def take(x, tokens):
    """The rows (B, K, C) at the positions tokens (B, K) of x (B, T, C)."""
    return torch.stack([sequence[kept] for sequence, kept in zip(x, tokens)])


def put(x, tokens, rows):
    """x with these rows in place of those that take gave."""
    sequences = []
    for sequence, kept, new in zip(x, tokens.tolist(), rows):
        at = {position: i for i, position in enumerate(kept)}
        sequences.append(torch.stack([new[at[t]] if t in at else sequence[t] for t in range(len(sequence))]))
    return torch.stack(sequences)
