#!/usr/bin/python3
"""The PyTorch side of bench/step: trains a GPT-2 on random tokens, as fast as eager PyTorch goes, on command.

Reads commands from standard input and answers each with one line of JSON:
    run N       N optimizer steps       {"steps", "seconds", "cpu_seconds", "loss", "tokens_per_second", "gflops"}
    matmul      1024^3 matmul rates     {"bf16_gflops", "f32_gflops"}
    profile N   N steps, where time goes {"steps", "seconds", "top": [[op, self seconds a step, calls a step], ...]}
    quit
The first line it prints names versions, settings, tokens and FLOPs of a step. The lines are flushed one by one, so a
driver can alternate with another program and measure both under the same conditions. OMP_WAIT_POLICY is passed through:
on a machine that others use, PASSIVE avoids waiting threads that spin (measured 10 times faster there). With --threads 1,
cpu_seconds is a figure that a busy machine hardly disturbs.
"""

import argparse
import ctypes
import json
import math
import os
import sys
import time

PREPARED = "STEP_PYTORCH_PREPARED"
OPENMP_OPENBLAS = "/usr/lib/x86_64-linux-gnu/openblas-openmp"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("layers", 12), ("width", 256), ("heads", 4), ("context", 128), ("batch", 8),
                          ("vocabulary", 8192), ("threads", len(os.sched_getaffinity(0)))):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--precision", choices=("bf16", "f32"), default="bf16")
    parser.add_argument("--attention", choices=("sdpa", "baddbmm"), help="default: sdpa where PyTorch has it")
    arguments = parser.parse_args()
    if arguments.width % arguments.heads:
        parser.error(f"--heads {arguments.heads} does not divide --width {arguments.width}")
    return arguments


def prepare_environment(arguments):
    """What libraries read only when they load: sets it and starts this program again, once."""
    if PREPARED in os.environ:
        return
    environment = {**os.environ, PREPARED: "1", "OMP_NUM_THREADS": str(arguments.threads)}
    # Fresh pages cost more than the arithmetic on them: keep freed memory instead of returning it to the system.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(4 << 30))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(16 << 30))
    with open("/proc/cpuinfo") as file:
        if "avx512vl" in file.read():
            environment.setdefault("ATEN_CPU_CAPABILITY", "avx512")  # PyTorch 1.13 stays at AVX2 unless told
    if os.path.isdir(OPENMP_OPENBLAS):  # the pthread one would fight with PyTorch's OpenMP threads
        environment["LD_LIBRARY_PATH"] = OPENMP_OPENBLAS + ":" + os.environ.get("LD_LIBRARY_PATH", "")
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


arguments = parse_arguments()
if arguments.device == "cpu":
    prepare_environment(arguments)

import torch  # noqa: E402 (after the environment is set)
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

L, C, H, T, B, V = (getattr(arguments, name)
                    for name in ("layers", "width", "heads", "context", "batch", "vocabulary"))
D = C // H
DEVICE = torch.device(arguments.device)
BF16 = arguments.precision == "bf16"
SDPA = getattr(F, "scaled_dot_product_attention", None)
ATTENTION = arguments.attention or ("sdpa" if SDPA else "baddbmm")
if ATTENTION == "sdpa" and SDPA is None:
    sys.exit(f"PyTorch {torch.__version__} has no scaled_dot_product_attention: leave --attention out")
MASK = torch.full((T, T), -math.inf, dtype=torch.bfloat16 if BF16 else torch.float32, device=DEVICE).triu(1)
TOKENS_PER_STEP = B * T
# Forward and backward, 2 FLOPs a multiply-add, attention over all T x T pairs (as it runs).
FLOPS_PER_STEP = {"layers": 3 * TOKENS_PER_STEP * 24 * L * C * C, "attention": 3 * TOKENS_PER_STEP * 4 * L * T * C,
                  "head": 3 * TOKENS_PER_STEP * 2 * C * V}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.c_attn, self.attn_proj = nn.Linear(C, 3 * C), nn.Linear(C, C)
        self.c_fc, self.mlp_proj = nn.Linear(C, 4 * C), nn.Linear(4 * C, C)

    def attention(self, x):
        q, k, v = self.c_attn(x).view(B, T, 3, H, D).permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        if ATTENTION == "sdpa":
            mixed = SDPA(q, k, v, is_causal=True)
        else:
            q, k, v = (part.reshape(B * H, T, D) for part in (q, k, v))
            weights = torch.baddbmm(MASK, q, k.transpose(1, 2), alpha=D ** -0.5).softmax(-1)
            mixed = torch.bmm(weights, v).view(B, H, T, D)
        return self.attn_proj(mixed.transpose(1, 2).reshape(B, T, C))

    def forward(self, x):
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(V, C), nn.Embedding(T, C)
        self.h = nn.ModuleList(Block() for _ in range(L))
        self.ln_f = nn.LayerNorm(C)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, 0.0, 0.02 / (math.sqrt(2 * L) if "_proj." in name else 1.0))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, input_ids, targets):
        x = self.wte(input_ids) + self.wpe.weight
        for block in self.h:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, V).float(), targets.reshape(-1))


class Benchmark:
    def __init__(self):
        torch.set_num_threads(arguments.threads)
        torch.manual_seed(42)
        self.model = Gpt().to(DEVICE)
        self.parameters = list(self.model.parameters())
        # Measured on CPU: the plain loop is faster than foreach, which has no vectorised path there.
        fast = {"fused": True} if DEVICE.type == "cuda" else {"foreach": False}
        self.optimizer = torch.optim.AdamW(
            [{"params": [p for p in self.parameters if p.dim() > 1], "weight_decay": 0.01},
             {"params": [p for p in self.parameters if p.dim() < 2], "weight_decay": 0.0}], lr=1e-4, **fast)

    def step(self):
        tokens = torch.randint(0, V, (B, T + 1), device=DEVICE)
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16, enabled=BF16):
            loss = self.model(tokens[:, :-1], tokens[:, 1:])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return loss.detach()

    def run(self, steps):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        for _ in range(steps):
            loss = self.step()
        loss = loss.item()  # waits for a GPU
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu_begin
        return {"steps": steps, "seconds": seconds, "cpu_seconds": cpu_seconds, "loss": loss,
                "tokens_per_second": steps * TOKENS_PER_STEP / seconds,
                "gflops": steps * sum(FLOPS_PER_STEP.values()) / seconds / 1e9}

    def profile(self, steps):
        with torch.profiler.profile() as profiler:
            seconds = self.run(steps)["seconds"]
        on_gpu = DEVICE.type == "cuda"

        def self_seconds(event):
            microseconds = (getattr(event, "self_device_time_total", None) or getattr(event, "self_cuda_time_total", 0)
                            if on_gpu else event.self_cpu_time_total)
            return microseconds / 1e6 / steps

        events = sorted(profiler.key_averages(), key=self_seconds, reverse=True)[:25]
        return {"steps": steps, "seconds": seconds,
                "top": [[event.key, self_seconds(event), event.count / steps] for event in events]}


def matmul_rate(dtype, size=1024, repetitions=20, rounds=5):
    a, b = (torch.randn(size, size, device=DEVICE).to(dtype) for _ in range(2))
    best = math.inf
    for _ in range(rounds + 1):  # the first warms up
        begin = time.perf_counter()
        for _ in range(repetitions):
            c = a @ b
        c[0, 0].item()
        best = min(best, time.perf_counter() - begin)
    return 2 * size ** 3 * repetitions / best / 1e9


def blas():
    """The BLAS in use, by file and (OpenBLAS) kernel; PyTorch's own where none is linked dynamically."""
    with open("/proc/self/maps") as file:
        libraries = sorted({line.split()[-1] for line in file if "openblas" in line and ".so" in line})
    found = [path for path in libraries if "libopenblas" in os.path.basename(path)]
    if not found:
        return "built into PyTorch"
    library = ctypes.CDLL(found[0])
    try:
        library.openblas_get_corename.restype = ctypes.c_char_p
        return f"{found[0]} ({library.openblas_get_corename().decode()})"
    except AttributeError:
        return found[0]


def description(benchmark):
    return {"torch": torch.__version__, "python": sys.version.split()[0], "device": arguments.device,
            "device_name": torch.cuda.get_device_name(DEVICE) if DEVICE.type == "cuda" else None,
            "threads": torch.get_num_threads(), "precision": arguments.precision, "attention": ATTENTION,
            "blas": blas(), "layers": L, "width": C, "heads": H, "context": T, "batch": B, "vocabulary": V,
            "parameters": sum(p.numel() for p in benchmark.parameters), "tokens_per_step": TOKENS_PER_STEP,
            "flops_per_step": FLOPS_PER_STEP,
            "environment": {name: os.environ[name] for name in sorted(os.environ)
                            if name.startswith(("MALLOC_", "OMP_", "GOMP_", "ATEN_", "OPENBLAS_", "GLIBC_"))}}


def answer(benchmark, command):
    name, *rest = command.split()
    if name in ("run", "profile") and len(rest) == 1 and rest[0].isdigit() and int(rest[0]) > 0:
        return getattr(benchmark, name)(int(rest[0]))
    if name == "matmul" and not rest:
        return {"bf16_gflops": matmul_rate(torch.bfloat16), "f32_gflops": matmul_rate(torch.float32)}
    return {"error": f"unknown command '{command}': run N, profile N, matmul or quit"}


def main():
    benchmark = Benchmark()
    print(json.dumps(description(benchmark)), flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "quit":
            break
        if command:
            print(json.dumps(answer(benchmark, command)), flush=True)


if __name__ == "__main__":
    main()
