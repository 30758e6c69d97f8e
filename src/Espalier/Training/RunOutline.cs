using System.Globalization;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Training;

/// <summary>What a run is about to do, and what it needs of the machine.</summary>
public sealed record RunOutline
{
    /// <summary>The name of the run.</summary>
    public required string Name { get; init; }

    /// <summary>The trainable numbers of the final model.</summary>
    public required double Parameters { get; init; }

    /// <summary>Those of the model that the method begins with.</summary>
    public required double FirstParameters { get; init; }

    /// <summary>The tokens of an update.</summary>
    public required long TokensPerStep { get; init; }

    /// <summary>The updates of the whole run.</summary>
    public required long TotalSteps { get; init; }

    /// <summary>The updates that are done.</summary>
    public required long Step { get; init; }

    /// <summary>How often the whole run goes through its data.</summary>
    public required double Passes { get; init; }

    /// <summary>The floating-point operations of all updates of the run, as they are planned, and of what growth itself learns and tries.</summary>
    public required double Flops { get; init; }

    /// <summary>Where it computes.</summary>
    public required string Device { get; init; }

    /// <summary>In which number format: bf16 or f32.</summary>
    public required string Precision { get; init; }

    /// <summary>The threads of an operation.</summary>
    public required int Threads { get; init; }

    /// <summary>The bytes of memory that training takes at its most, by formulas.</summary>
    public required double Memory { get; init; }

    /// <summary>The bytes of memory to spare; null where that is not known, as of a GPU.</summary>
    public required double? FreeMemory { get; init; }

    /// <summary>The bytes that its checkpoints take on disk at their most.</summary>
    public required double Disk { get; init; }

    /// <summary>The bytes to spare there, what older checkpoints of the run take counted in; null where that is not known.</summary>
    public required double? FreeDisk { get; init; }

    // Attention may be computed without keeping its weights: what is needed in any case.
    private double LeastMemory { get; init; }

    /// <summary>The bytes of the processor's memory that a run on a GPU takes for a checkpoint in the background.</summary>
    internal double HostCopy { get; init; }

    /// <summary>The bytes of it to spare; null where that does not matter or is not known.</summary>
    internal double? FreeHostMemory { get; init; }

    private string Checkpoints { get; init; } = "";

    /// <summary>All of it in sentences, as a person reads them.</summary>
    public IReadOnlyList<string> Sentences
    {
        get
        {
            string first = FirstParameters < Parameters ? $"{Quantities.Count(FirstParameters)} to " : "";
            string done = Step > 0 ? string.Create(CultureInfo.InvariantCulture, $", {Step:N0} of which are done") : "";
            return
            [
                $"{Name}: {first}{Quantities.Count(Parameters)} parameters, on {Device} in {Precision} with {Threads} {(Threads == 1 ? "thread" : "threads")}",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{TotalSteps:N0} steps of {TokensPerStep:N0} tokens{done}: {Passes:0.##} passes over the data, {Flops:0.00e0} FLOPs"),
                $"memory {Quantities.Bytes(Memory)}{Of(FreeMemory)}, checkpoints {Quantities.Bytes(Disk)}{Of(FreeDisk)}",
            ];

            static string Of(double? free) => free is double bytes ? $" of {Quantities.Bytes(bytes)} free" : "";
        }
    }

    /// <summary>All figures on one line, as a program reads them: <c>parameters=124439808 tokens_per_step=524288 ...</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"parameters={Parameters:F0} first_parameters={FirstParameters:F0} tokens_per_step={TokensPerStep} steps={TotalSteps} step={Step} passes={Passes:G4} " +
        $"flops={Flops:G5} device={Device} precision={Precision} threads={Threads} memory={Memory:F0} free_memory={FreeMemory ?? double.NaN:F0} " +
        $"disk={Disk:F0} free_disk={FreeDisk ?? double.NaN:F0}");

    /// <summary>Makes sure that what the run needs is there.</summary>
    /// <exception cref="UserErrorException">It is not; the message has the figures.</exception>
    internal void RequireRoom()
    {
        if (LeastMemory > FreeMemory)
        {
            throw new UserErrorException(
                $"The run needs {Quantities.Bytes(LeastMemory)} of memory or more, and {Quantities.Bytes(FreeMemory!.Value)} are free: " +
                $"{Quantities.Count(Parameters)} parameters with gradients and what the optimizer remembers, and what a micro-batch keeps for its backward pass.",
                "Lower training.micro_batch, and raise training.gradient_accumulation as much; or set training.recompute; or train a smaller model. `espalier plan RECIPE` tells it stage by stage.");
        }

        if (HostCopy > FreeHostMemory)
        {
            throw new UserErrorException(
                $"A checkpoint that is written in the background needs {Quantities.Bytes(HostCopy)} of the processor's memory, and {Quantities.Bytes(FreeHostMemory!.Value)} are free.",
                "Set checkpoint.background=false: the run then waits until a checkpoint is written.");
        }

        if (Disk > FreeDisk)
        {
            throw new UserErrorException(
                $"The checkpoints of the run need {Quantities.Bytes(Disk)} on disk, and {Quantities.Bytes(FreeDisk!.Value)} are free: {Checkpoints}.",
                "Lower checkpoint.keep, name fewer points in checkpoint.at, free some space, or choose a folder on another disk.");
        }
    }

    /// <summary>What may turn out to be too little, in words; null where nothing may.</summary>
    internal string? Doubt => Memory > FreeMemory
        ? $"training may need {Quantities.Bytes(Memory)} of memory where attention keeps its weights, and {Quantities.Bytes(FreeMemory!.Value)} are free: a lower training.micro_batch needs less"
        : null;

    /// <summary>Works out what a run is about to do.</summary>
    /// <param name="recipe">Its recipe.</param>
    /// <param name="plan">It worked out.</param>
    /// <param name="compute">Where it computes.</param>
    /// <param name="trainTokens">The tokens of its data.</param>
    /// <param name="folder">Its folder, which need not exist.</param>
    /// <param name="step">The updates that are done.</param>
    /// <param name="shares">Over how many ranks the optimizer is dealt out.</param>
    internal static RunOutline Of(Recipe recipe, RunPlan plan, Compute compute, long trainTokens, string folder, long step, int shares)
    {
        const long Samples = 2000;
        IOptimizer optimizer = recipe.Optimizer.Create();
        bool onGpu = compute.Device.Type != DeviceType.Cpu;
        IReadOnlyList<CostStage> stages = plan.Stages(Samples);
        MemoryNeed[] needs =
            [.. stages.Select(stage => MemoryNeed.Of(recipe, stage, optimizer, compute.Bf16, onGpu))];
        MemoryNeed[] here = [.. needs.Select(need => need.DealtOver(shares))];
        double[] bytes = [.. needs.Select(need => need.Weights + need.Optimizer)];

        // The newest, one more while it is written, and those that stay for good.
        long regular = (plan.TotalSteps + plan.CheckpointEvery - 1) / plan.CheckpointEvery;
        long newest = Math.Min(regular, recipe.Checkpoint.Keep + 1L);
        long[] staying = [.. plan.CheckpointsAt.Where(at => at <= plan.TotalSteps)];
        double disk = (newest * bytes[^1]) + staying.Sum(at => bytes[stages.Count(stage => stage.Begin < at) - 1]);
        return new RunOutline
        {
            Name = recipe.Name,
            Parameters = needs[^1].Parameters,
            FirstParameters = needs[0].Parameters,
            TokensPerStep = plan.TokensPerStep,
            TotalSteps = plan.TotalSteps,
            Step = step,
            Passes = (double)plan.TotalSteps * plan.TokensPerStep / trainTokens,
            Flops = stages.Sum(stage => stage.Flops.Total),
            Device = compute.Device.ToString(),
            Precision = compute.Bf16 ? "bf16" : "f32",
            Threads = Engine.Threads,
            Memory = here.Max(need => need.Total),
            LeastMemory = here.Max(need => need.Total - need.AttentionWeights),
            FreeMemory = onGpu ? null : MachineRoom.FreeMemory(),
            HostCopy = onGpu && recipe.Checkpoint.Background ? here.Max(need => need.Weights + need.Optimizer) : 0,
            FreeHostMemory = onGpu ? MachineRoom.FreeMemory() : null,
            Disk = disk,
            FreeDisk = MachineRoom.FreeDisk(folder) + RunDirectory.CheckpointsOf(folder).Sum(BytesOf),
            Checkpoints = string.Create(
                CultureInfo.InvariantCulture,
                $"{newest + staying.Length} at once of {Quantities.Bytes(bytes[0])}{(bytes[^1] > bytes[0] ? $" to {Quantities.Bytes(bytes[^1])}" : "")} each"),
        };
    }

    private static double BytesOf(string folder) => new DirectoryInfo(folder).EnumerateFiles().Sum(file => (double)file.Length);
}
