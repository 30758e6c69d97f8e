using System.ComponentModel.DataAnnotations;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Training;

/// <summary>How long a run is, in which portions it works, and where.</summary>
public sealed record TrainingConfig
{
    /// <summary>`length`: the whole run, in steps or tokens.</summary>
    public required Duration Length { get; init; }

    /// <summary>`micro_batch`: sequences of one forward and backward pass.</summary>
    [Range(1, 1 << 16)]
    public required int MicroBatch { get; init; }

    /// <summary>`gradient_accumulation`: micro-batches of one update. Default 1.</summary>
    [Range(1, 1 << 16)]
    public int GradientAccumulation { get; init; } = 1;

    /// <summary>
    /// `z_loss`: what log(Z)^2 of each target adds to what is minimized, Z the sum of the exponentials of its scores: it keeps scores
    /// from drifting (PaLM, section 5: 1e-4). Logged losses do not count it. Default 0.
    /// </summary>
    [Range(0.0, 1.0)]
    public double ZLoss { get; init; }

    /// <summary>
    /// `recompute`: keep of each executed layer only what it reads, and run it again in the backward pass: the same bits for less memory, and for a
    /// second forward pass of the layers. Default false.
    /// </summary>
    public bool Recompute { get; init; }

    /// <summary>
    /// `shard_optimizer`: of several ranks each keeps its share of what the optimizer remembers, and updates that (ZeRO-1): less memory and less
    /// work for each, as many bytes sent. One process alone keeps all. Default false.
    /// </summary>
    public bool ShardOptimizer { get; init; }

    /// <summary>`precision`: auto, bf16 or f32. Default auto.</summary>
    public Precision Precision { get; init; } = Precision.Auto;

    /// <summary>`device`: auto (the GPU if there is one), cpu, cuda or cuda:N. Default auto.</summary>
    [RegularExpression("auto|cpu|cuda(:[0-9]{1,3})?", ErrorMessage = "write auto, cpu, cuda or cuda:N")]
    public string Device { get; init; } = "auto";

    /// <summary>
    /// `threads`: threads of one operation on the processor. Default (null): OMP_NUM_THREADS, or else the processors that the process may use
    /// and that are free as the run begins; a run that goes on keeps its number.
    /// </summary>
    [Range(1, 1024)]
    public int? Threads { get; init; }
}
