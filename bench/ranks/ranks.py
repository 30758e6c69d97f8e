"""One rank against two ranks of one thread each, measured and as `espalier plan --ranks 2` foretells it.

Two ranks share the machine's cores and memory besides: what they lose to that, two processes show that run at once, each with half of the
micro-batches, and know nothing of each other. What ranks lose to sending is what they take longer than those.

The network between two processes of this machine is measured by PyTorch's own all-reduce over Gloo, which shares no code with
Espalier: its rate and latency are all that the plan is told, besides what it measures itself on one process.
"""

import argparse
import csv
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ESPALIER = str(ROOT / "espalier")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

# Layers, width, context, sequences of a micro-batch, micro-batches of an update, updates of a run.
SETTINGS = [(12, 128, 64, 8, 2, 60), (6, 384, 128, 4, 2, 24), (6, 384, 128, 4, 8, 12)]

# Of the sums that the sending formula is held against; the first and the last but one give it its rate and latency.
SIZES = [8, 1 << 18, 1 << 20, 2420608, 8 << 20, 10800000]

ALL_REDUCE = """
import sys, time, torch, torch.distributed as d
rank, size, meet, sizes = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], [int(n) for n in sys.argv[4:]]
torch.set_num_threads(1)
d.init_process_group("gloo", init_method="file://" + meet, rank=rank, world_size=size)
for elements in sizes:
    x, best = torch.ones(elements), 1e9
    for _ in range(200 if elements < 1000 else 40):
        d.barrier(); start = time.perf_counter(); d.all_reduce(x); best = min(best, time.perf_counter() - start)
    if rank == 0: print(best)
"""


def all_reduce_seconds(ranks):
    """The least of many all-reduces of each size."""
    with tempfile.TemporaryDirectory() as folder:
        processes = [
            subprocess.Popen([sys.executable, "-c", ALL_REDUCE, str(rank), str(ranks), folder + "/meet", *map(str, SIZES)],
                             stdout=subprocess.PIPE, text=True, env={**ENVIRONMENT, "GLOO_SOCKET_IFNAME": "lo"})
            for rank in range(ranks)]
        said = [process.communicate()[0] for process in processes]
    return [float(line) for line in said[0].split()]


def network(ranks, seconds):
    """The rate and the latency by which the formula gives the shortest sum and that of 32 MiB their times."""
    small, large = seconds[0], seconds[-2]
    return 2 * (ranks - 1) / ranks * 4 * SIZES[-2] / (large - small), small / (2 * (ranks - 1))


def recipe(folder, setting, share=1):
    layers, width, context, sequences, micro_batches, updates = setting
    micro_batches //= share
    path = folder / f"{layers}x{width}-{micro_batches}.yaml"
    path.write_text(f"""
model: {{model_type: gpt2, n_layer: {layers}, n_embd: {width}, n_head: 4, n_positions: {context}}}
data: {{path: {folder}/data}}
training: {{length: {updates} steps, micro_batch: {sequences}, gradient_accumulation: {micro_batches}, device: cpu}}
learning_rate: {{peak: 1e-4}}
method: {{name: scratch}}
evaluation: {{every: {updates} steps, tokens: 512}}
checkpoint: {{every: {updates} steps}}
logging: {{every: 1 steps}}
""")
    return str(path)


def update_seconds(folder, commands):
    """The least update of runs that are made at once: other programs make it slower, never faster."""
    runs = [folder / f"run-{number}" for number in range(len(commands))]
    started = [
        subprocess.Popen([ESPALIER, *launch, "train", yaml, "--run", str(run)], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for (launch, yaml), run in zip(commands, runs)]
    if any([process.wait() for process in started]):
        sys.exit("error: a run failed")
    least = []
    for run in runs:
        seconds = [float(row["seconds"]) for row in csv.DictReader((run / "metrics.csv").open())]
        least.append(min(after - before for before, after in zip(seconds[2:], seconds[3:])))
        shutil.rmtree(run)
    return max(least)


def train(rounds, folder, rate, latency, say):
    """Updates of one rank, of two processes at once, and of two ranks; and what the plan says of them."""
    say(f"- An update's milliseconds: the least of a run, the median of {rounds} turns. Foretold: `espalier plan --measure --ranks 2`, told that network.")
    say()
    say("| layers x width, micro-batches | a rank sends | one rank | two processes at once, half each | two ranks | sending | of the two processes' speed | foretold: one rank | half | sending | of half's speed |")
    say("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for setting in SETTINGS:
        whole, half = recipe(folder, setting), recipe(folder, setting, share=2)
        rows = []
        for _ in range(rounds):
            plan = json.loads(subprocess.run(
                [ESPALIER, "plan", whole, "--measure", "--ranks", "2", "--network", f"{rate:.0f},{latency:.9f}", "--json"],
                env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout)["on_ranks"]
            stage = plan["stages"][0]
            one = update_seconds(folder, [([], whole)])
            apart = update_seconds(folder, [([], half), ([], half)])
            two = update_seconds(folder, [(["launch", "--ranks", "2", "--"], whole)])
            computing, sending = stage["computing_seconds"], stage["sending_seconds"]
            rows.append([1e3 * one, 1e3 * apart, 1e3 * two, 1e3 * (two - apart), apart / two,
                         1e3 * plan["run"][0]["seconds"] / setting[5], 1e3 * computing, 1e3 * sending, computing / (computing + sending)])
        middle = [statistics.median(column) for column in zip(*rows)]
        shares = [row[4] for row in rows]
        say(f"| {setting[0]} x {setting[1]}, {setting[4]} | {stage['sent_bytes'] / 1e6:.1f} MB | " + " | ".join(f"{value:.1f}" for value in middle[:4])
            + f" | {middle[4]:.0%} ({min(shares):.0%} to {max(shares):.0%}) | " + " | ".join(f"{value:.1f}" for value in middle[5:8]) + f" | {middle[8]:.0%} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of one rank and of two; 0 leaves training out [5]")
    parser.add_argument("--out", help="writes the report to this file, too")
    options = parser.parse_args()
    lines = []

    def say(line=""):
        lines.append(line)
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        text = folder / "text"
        text.mkdir()
        words = "apple branch climbs the wall and grows every year a layer of leaves".split()
        for document in range(4):
            (text / f"{document}.txt").write_text(" ".join(words[(i * i + document) % len(words)] for i in range(20000)))
        subprocess.run([ESPALIER, "data", "prepare", str(text), "--bytes", "--holdout", "3.txt", "--out", str(folder / "data")],
                       check=True, capture_output=True)

        processor = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
        measured = {ranks: all_reduce_seconds(ranks) for ranks in (2, 4)}
        rate, latency = network(2, measured[2])
        say(f"# One rank and two, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC")
        say()
        say("    bench/ranks/run" + "".join(" " + argument for argument in sys.argv[1:]))
        say()
        say(f"- {processor}, {os.cpu_count()} cores; ranks of one thread each, over loopback; load before: {os.getloadavg()[0]:.1f}")
        say()
        say("## Sending")
        say()
        say("PyTorch's all-reduce over Gloo, milliseconds: the least of 40, and the formula with the rate and the latency of the first and the fifth.")
        say()
        say("| ranks | GB/s | us | " + " | ".join(f"{4 * size / 1e6:.3g} MB" for size in SIZES) + " |")
        say("|--:" * (3 + len(SIZES)) + "|")
        for ranks, seconds in measured.items():
            speed, delay = network(ranks, seconds)
            formula = [2 * (ranks - 1) / ranks * 4 * size / speed + 2 * (ranks - 1) * delay for size in SIZES]
            say(f"| {ranks} | {speed / 1e9:.2f} | {delay * 1e6:.0f} | "
                + " | ".join(f"{1e3 * is_so:.2f} ({1e3 * by_formula:.2f})" for is_so, by_formula in zip(seconds, formula)) + " |")
        if options.rounds > 0:
            say()
            say("## Training")
            say()
            train(options.rounds, folder, rate, latency, say)
    if options.out:
        pathlib.Path(options.out).write_text("\n".join(lines) + "\n")


main()
