#!/usr/bin/python3
"""Writes tests/Espalier.Tests/golden/metrics.json: GLUE's metrics as scikit-learn and scipy compute them.

Needs python3-sklearn and python3-scipy; run from anywhere: tests/tools/make_metrics_golden.py
"""

import json
import math
import os
import random
import warnings

import scipy
import scipy.stats
import sklearn
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Espalier.Tests", "golden", "metrics.json")

_random = random.Random(3)


def classes(count, kinds, agreement):
    """Right classes, and predictions that agree with them more or less often."""
    expected = [_random.randrange(kinds) for _ in range(count)]
    return expected, [e if _random.random() < agreement else _random.randrange(kinds) for e in expected]


def classification(what, expected, predicted):
    case = {"what": what, "expected": expected, "predicted": predicted,
            "accuracy": accuracy_score(expected, predicted), "matthews": matthews_corrcoef(expected, predicted)}
    if max(expected + predicted) <= 1:
        case["f1"] = f1_score(expected, predicted)
    return case


def correlation(what, x, y):
    def value(coefficient):
        return None if math.isnan(coefficient) else coefficient

    return {"what": what, "x": x, "y": y, "pearson": value(scipy.stats.pearsonr(x, y)[0]),
            "spearman": value(scipy.stats.spearmanr(x, y)[0])}


def noisy(count, noise, digits):
    x = [round(_random.uniform(0, 5), digits) for _ in range(count)]
    return x, [round(v + _random.gauss(0, noise), digits) for v in x]


def main():
    # The degenerate cases are there for their values; the warnings say only that they are degenerate.
    warnings.simplefilter("ignore")
    golden = {
        "about": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}; null: not a number",
        "classification": [
            classification("good", *classes(200, 2, 0.8)),
            classification("as good as chance", *classes(101, 2, 0.0)),
            classification("three classes", *classes(120, 3, 0.6)),
            classification("five classes, one never right", *classes(60, 5, 0.3)),
            classification("all right", [0, 1, 1, 0], [0, 1, 1, 0]),
            classification("all wrong", [0, 1, 1, 0], [1, 0, 0, 1]),
            classification("always class 0", [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]),
            classification("always class 1", [0, 1, 1, 0, 1], [1, 1, 1, 1, 1]),
            classification("only one class there, and found", [1, 1, 1], [1, 1, 1]),
            classification("only the negative class there, and found", [0, 0, 0], [0, 0, 0]),
            classification("only the negative class there, and missed", [0, 0, 0], [1, 0, 1]),
            classification("one", [1], [0]),
        ],
        "correlation": [
            correlation("good", *noisy(150, 0.7, 6)),
            correlation("many ties", *noisy(150, 1.0, 0)),
            correlation("no relation", *noisy(50, 50.0, 3)),
            correlation("two", [1.0, 2.0], [5.0, 3.0]),
            correlation("a curve that rises", [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 4.0, 9.0, 16.0, 25.0]),
            correlation("large offset", [1e8 + v for v in range(8)], [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]),
            correlation("one of them constant", [2.5, 2.5, 2.5, 2.5], [1.0, 2.0, 3.0, 4.0]),
            correlation("both constant", [1.0, 1.0, 1.0], [4.0, 4.0, 4.0]),
        ],
    }
    with open(GOLDEN, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
