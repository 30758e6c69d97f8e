using Espalier.Models;
using Espalier.Optimization;
using Espalier.Planning;
using Espalier.Tests.Training;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Planning;

public class MemoryTests
{
    private static readonly ModelConfig Model = new Gpt2Config
    {
        Layers = 12, HiddenSize = 768, Heads = 12, ContextLength = 1024, VocabularySize = 50257,
    };

    [Fact]
    public void Gpt2HasItsPublishedParametersAndTheirBytes()
    {
        var need = MemoryNeed.Of(Model, new AdamW(new AdamWConfig()), 12, 1, isBf16: false);
        Assert.Equal(124_439_808, need.Parameters);
        Assert.Equal(16 * need.Parameters, need.Weights + need.Gradients + need.Optimizer);

        // A token of a layer: 8 x 768 + 2 x 3072 + 12 x 1024 values; three more of the width outside. For a
        // moment the gradients of one layer's attention, 12 x 1024 + 8 x 768, and twice the stream's.
        Assert.Equal(4.0 * 1024 * ((12 * 24_576) + (3 * 768) + (12 * 1024) + (8 * 768) + (2 * 768)), need.Activations);
        Assert.True(MemoryNeed.Of(Model, new AdamW(new AdamWConfig()), 12, 1, isBf16: true).Activations < need.Activations);
    }

    /// <summary>Of eleven layers only what they read is left: 768 values a token, as of the one that runs again.</summary>
    [Fact]
    public void RecomputedLayersKeepWhatTheyRead()
    {
        var need = MemoryNeed.Of(Model, new AdamW(new AdamWConfig()), 12, 1, isBf16: false, recompute: true);
        Assert.Equal(4.0 * 1024 * (24_576 + (12 * 768) + (3 * 768) + (12 * 1024) + (8 * 768) + (2 * 768)), need.Activations);
        Assert.Equal(4.0 * 1024 * 12 * 1024, need.AttentionWeights);
    }

    /// <summary>A token of a layer: 4 x 64 of the stream and norms, twice 96 and twice 48 of the heads, 3 x 200, 4 x 32; for a moment twice 600 and twice 64.</summary>
    [Fact]
    public void ALlamaKeepsBothSidesOfItsGateAndFewerKeys()
    {
        var llama = new LlamaConfig
        {
            Layers = 3, HiddenSize = 64, Heads = 4, KeyValueHeads = 2, HeadDim = 24, FfnSize = 200, ContextLength = 32, VocabularySize = 50,
        };
        Assert.Equal(
            4.0 * 2 * 32 * ((3 * (256 + 192 + 96 + 600 + 128)) + (3 * 64) + 1200 + 128),
            MemoryNeed.Of(llama, new AdamW(new AdamWConfig()), 3, 2, isBf16: false).Activations);
    }

    /// <summary>A checkpoint in the background is written from a copy in the processor's memory, wherever the run computes.</summary>
    [Fact]
    public void TheCopyOfTheStateTakesNoMemoryOfAGpu()
    {
        Recipe background = TinyRun.Recipe with { Checkpoint = TinyRun.Recipe.Checkpoint with { Background = true } };
        var stage = new CostStage(Model, 0, 1, default, 12);
        (MemoryNeed processor, MemoryNeed gpu) = (Of(onGpu: false), Of(onGpu: true));
        Assert.Equal(processor.Weights + processor.Optimizer, processor.Snapshot);
        Assert.Equal(processor.Total - processor.Snapshot, gpu.Total);

        MemoryNeed Of(bool onGpu) => MemoryNeed.Of(background, stage, new AdamW(new AdamWConfig()), isBf16: false, onGpu);
    }

    [Fact]
    public void RanksHoldTheModelAndNoFewerWould() => Prop.ForAll(
        Gen.Choose(600, 1200).Select(hundredths => Math.Pow(10, hundredths / 100.0)).ToArbitrary(),
        size =>
        {
            const double Memory = 64e9;
            RankLayout layout = RankLayout.OfSize(size, Memory, 2048)!;
            Assert.True(layout.BytesPerRank <= Memory);
            Assert.True(long.IsPow2(layout.Ranks) && layout.Ranks >= layout.Split && layout.Split <= 8);
            double running = layout.BytesPerRank - (16 * size / layout.Ranks);
            Assert.True(layout.Ranks == layout.Split || (32 * size / layout.Ranks) + running > Memory);
        }).QuickCheckThrowOnFailure();
}
