#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/experiments.json: made-up runs of experiments, and what they come to.

Student's t is summed in closed form (Abramowitz and Stegun 26.7.3 and 26.7.4), and lines are read by numpy. Needs python3-numpy; run
from anywhere: tests/tools/make_experiment_golden.py
"""

import json
import math
import os
import random

import numpy

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden", "experiments.json")
ARMS = {"1 layer": False, "2 layers": False, "4 layers": False, "early": True, "late": True}
TARGET = "4 layers"
RATES = [5e-3, 1e-2]
SWEEP_SEEDS = 2
OVER = 1.01

_random = random.Random(13)


def two_sided(t, degrees):
    """The probability that |T| <= t."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    if degrees % 2 == 1:
        total, term = 0.0, cosine
        for k in range(1, degrees - 1, 2):
            total += term
            term *= cosine**2 * (k + 1) / (k + 2)
        return 2 / math.pi * (angle + sine * total)
    total, term = 0.0, 1.0
    for k in range(0, degrees - 1, 2):
        total += term
        term *= cosine**2 * (k + 1) / (k + 2)
    return sine * total


def quantile(degrees):
    """The t with two_sided(t) = 0.95, by bisection."""
    low, high = 0.0, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, degrees) < 0.95 else (low, middle)
    return low


QUANTILES = [math.nan, math.nan] + [quantile(count - 1) for count in range(2, 1001)]


def half_width(values):
    return None if len(values) < 2 else QUANTILES[len(values)] * numpy.std(values, ddof=1) / math.sqrt(len(values))


def runs_to_decide(values):
    if len(values) < 2:
        return None
    spread = numpy.std(values, ddof=1)
    for count in range(2, 1001):
        if QUANTILES[count] * spread / math.sqrt(count) < abs(numpy.mean(values)):
            return count
    return None


def flops_at(curves, loss):
    """Where the first of some curves comes down to a loss, between points on logarithmic axes; None where that was not trained."""
    if any(losses[0] < loss for _, losses in curves):
        return None
    found = []
    for flops, losses in curves:
        below = [i for i, value in enumerate(losses) if value <= loss]
        if below:
            i = max(1, below[0])
            found.append(math.exp(numpy.interp(
                math.log(loss), numpy.log([losses[i], losses[i - 1]]), numpy.log([flops[i], flops[i - 1]]))))
    return min(found, default=None)


# FLOPs of a run are those of layers, attention and head.
def experiment(what, budgets, seeds, loss_of, spread, flops_of=lambda arm, budget: 0.997 * budget, lost=()):
    """An experiment whose runs scatter around some losses; the runs in `lost`, (arm, budget, seed), failed."""
    runs, arms = [], []
    for budget in budgets:
        for arm, grown in ARMS.items():
            of_rate = {}
            for rate in RATES:
                of_rate[rate] = [dict(
                    arm=arm, budget=budget, rate=rate, seed=seed,
                    loss=round(loss_of(arm, budget) + (0.05 if rate == RATES[0] else 0) + _random.gauss(0, spread), 5),
                    flops=[round(share * flops_of(arm, budget)) for share in (0.7, 0.1, 0.2)], seconds=round(_random.uniform(50, 70), 2))
                    for seed in seeds]
            sweep = {rate: float(numpy.mean([run["loss"] for run in of_rate[rate][:SWEEP_SEEDS]])) for rate in RATES}
            best = min(RATES, key=sweep.get)
            chosen = [run for run in of_rate[best] if (arm, budget, run["seed"]) not in lost]
            runs += [run for run in of_rate[min(RATES, key=lambda rate: rate == best)][:SWEEP_SEEDS]] + chosen
            losses = [run["loss"] for run in chosen]
            arms.append(dict(
                arm=arm, budget=budget, learning_rate=best, grown=grown, sweep=sweep, losses={run["seed"]: run["loss"] for run in chosen},
                loss=float(numpy.mean(losses)), loss_half_width=half_width(losses),
                flops=float(numpy.mean([sum(run["flops"]) for run in chosen])),
                flops_without_head=float(numpy.mean([sum(run["flops"][:2]) for run in chosen])),
                seconds=float(numpy.mean([run["seconds"] for run in chosen]))))

    def curve(name):
        points = [arm for arm in arms if arm["arm"] == name]
        return [arm["flops"] for arm in points], [arm["loss"] for arm in points]

    never_grown = [curve(name) for name, grown in ARMS.items() if not grown]
    verdicts = []
    for arm in arms:
        if arm["grown"]:
            rival = min((other for other in arms if not other["grown"] and other["budget"] == arm["budget"]), key=lambda o: o["loss"])
            differences = [arm["losses"][seed] - rival["losses"][seed] for seed in arm["losses"] if seed in rival["losses"]]
            mean, half = float(numpy.mean(differences)), half_width(differences)

            def saving(curves, shift):
                flops = flops_at(curves, arm["loss"] + shift)
                return None if flops is None else 1 - arm["flops"] / flops

            against = saving([curve(TARGET)], 0)
            verdicts.append(dict(
                arm=arm["arm"], budget=arm["budget"], rival=rival["arm"], difference=mean, difference_half_width=half,
                outcome="NotComparable" if max(arm["flops"], rival["flops"]) > OVER * arm["budget"]
                else "Undecided" if half is None or abs(mean) <= half else "Pays" if mean < 0 else "Costs",
                runs_to_decide=runs_to_decide(differences),
                envelope_saving=[saving(never_grown, half or 0), saving(never_grown, 0), saving(never_grown, -(half or 0))],
                target_saving=against, target_speedup=None if against is None else 1 / (1 - against) - 1))
    return dict(what=what, budgets=budgets, seeds=seeds, runs=runs, arms=arms, verdicts=verdicts)


def law(scale, power, floor):
    return lambda budget: floor + scale * (budget / 1e8) ** -power


def main():
    curves = {"1 layer": law(0.5, 0.15, 1.6), "2 layers": law(0.8, 0.35, 1.4), "4 layers": law(0.9, 0.5, 1.2)}
    better = {**curves, "early": law(0.75, 0.5, 1.25), "late": law(0.6, 0.4, 1.55)}
    budgets = [3e7, 6e7, 1.2e8, 2.4e8]

    def bumpy(arm, budget):
        # The largest model does worse with twice the FLOPs, once.
        return better[arm](budget) + (0.5 if arm == TARGET and budget == budgets[2] else 0)

    cases = [
        experiment("little scatter", budgets, [1, 2, 3], lambda arm, budget: better[arm](budget), 0.002),
        experiment("much scatter", budgets, [1, 2, 3, 4, 5], lambda arm, budget: better[arm](budget), 0.08),
        experiment("a curve that rises", budgets, [1, 2, 3], bumpy, 0.002),
        experiment("one budget", budgets[:1], [7, 8, 9], lambda arm, budget: better[arm](budget), 0.01),
        experiment("all alike", budgets[:2], [1, 2, 3, 4], lambda arm, budget: 2.0, 0.01),
        experiment("two seeds, a failed run, one over its budget", budgets, [1, 2, 3], lambda arm, budget: better[arm](budget), 0.005,
                   flops_of=lambda arm, budget: budget * (1.02 if arm == "late" and budget == budgets[1] else 0.995),
                   lost=[("early", budgets[2], 3), ("4 layers", budgets[3], 3), ("2 layers", budgets[0], 3)]),
    ]
    with open(GOLDEN, "w", encoding="utf-8") as file:
        json.dump({"about": f"numpy {numpy.__version__}; tests/tools/make_experiment_golden.py", "cases": cases}, file,
                  separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
