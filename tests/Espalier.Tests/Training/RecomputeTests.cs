using System.Text.Json.Nodes;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Tests.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Runs whose layers keep only what they read, against runs that keep all. Alone, for all tests draw from libtorch's one generator.</summary>
[Collection(TensorCounts.Name)]
public sealed class RecomputeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    private static Recipe Plain => TinyRun.Recipe with
    {
        Model = (Gpt2Config)TinyRun.Recipe.Model with { EmbeddingDropout = 0.1, AttentionDropout = 0.2, ResidualDropout = 0.1 },
    };

    private static Recipe Recomputing(Recipe recipe) => recipe with { Training = recipe.Training with { Recompute = true } };

    /// <summary>Dropout is on. Every layer runs forward twice, forward and backward being three passes of it.</summary>
    [Fact]
    public void TheWeightsAreTheSameAndTheSecondPassIsCharged()
    {
        Assert.True(TinyRun.Go(_folder.File("plain"), Plain));
        Assert.True(TinyRun.Go(_folder.File("run"), Recomputing(Plain)));
        string plain = TinyRun.Checkpoint(_folder.File("plain"), TinyRun.Steps), run = TinyRun.Checkpoint(_folder.File("run"), TinyRun.Steps);
        TinyRun.SameWeights(plain, run);

        JsonObject before = TinyRun.State(plain), after = TinyRun.State(run);
        Assert.Equal(4.0 / 3, Flops(after, "layers") / Flops(before, "layers"), 12);
        Assert.Equal(4.0 / 3, Flops(after, "attention") / Flops(before, "attention"), 12);
        Assert.Equal(Flops(before, "head"), Flops(after, "head"));

        static double Flops(JsonObject state, string part) => state["flops_" + part]!.GetValue<double>();
    }

    /// <summary>A run whose next stage would not fit goes on so.</summary>
    [Fact]
    public void ARunMayBeginToRecomputeInItsMiddle()
    {
        Assert.True(TinyRun.Go(_folder.File("plain"), Plain));
        Assert.False(TinyRun.Go(_folder.File("run"), Plain, stopAfter: 9));
        Assert.Equal(RunEnd.Reached, TrainingRun.Run(
            Recomputing(Plain), _folder.File("run"), options: new RunOptions { Prolong = true }).End);
        TinyRun.SameWeights(
            TinyRun.Checkpoint(_folder.File("plain"), TinyRun.Steps), TinyRun.Checkpoint(_folder.File("run"), TinyRun.Steps));
    }
}
