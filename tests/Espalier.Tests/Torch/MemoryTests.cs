using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Tests.Growth;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Torch;

/// <summary>Tests that count the live tensors of the process run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class TensorCounts
{
    public const string Name = "counts of live tensors";

    /// <summary>What other tests have dropped is not to vanish while one counts.</summary>
    public static void Settle()
    {
        for (int round = 0; round < 2; round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}

[Collection(TensorCounts.Name)]
public class MemoryTests
{
    public MemoryTests() => TensorCounts.Settle();

    [Fact]
    public void AScopeFreesWhatWasMadeInIt()
    {
        long before = Tensor.LiveCount;
        using (new TensorScope())
        {
            Tensor a = Tensor.Zeros([2]), b = a + a;
            Assert.Equal(before + 2, Tensor.LiveCount);
            _ = b * 2;
            Assert.Equal(before + 3, Tensor.LiveCount);
        }

        Assert.Equal(before, Tensor.LiveCount);
    }

    [Fact]
    public void MeasuringTheSpeedLeavesNoTensor()
    {
        long before = Tensor.LiveCount;
        MatMulRate.Measure(Device.Cpu);
        Assert.Equal(before, Tensor.LiveCount);
    }

    [Fact]
    public void AnInnerScopeFreesOnlyItsOwn()
    {
        long before = Tensor.LiveCount;
        using (new TensorScope())
        {
            Tensor outer = Tensor.Full([1], 1);
            using (new TensorScope())
            {
                _ = outer + outer;
            }

            Assert.Equal(before + 1, Tensor.LiveCount);
            Assert.Equal(1, outer.Item());
            _ = outer + outer;
            Assert.Equal(before + 2, Tensor.LiveCount);
        }

        Assert.Equal(before, Tensor.LiveCount);
    }

    [Fact]
    public void AKeptTensorMovesOutByOneScope()
    {
        long before = Tensor.LiveCount;
        Tensor kept;
        using (var outer = new TensorScope())
        {
            using (var inner = new TensorScope())
            {
                kept = inner.Keep(Tensor.Full([1], 3));
                _ = inner.Keep(Tensor.Full([1], 4));
            }

            Assert.Equal(before + 2, Tensor.LiveCount);
            Assert.Same(kept, outer.Keep(kept));
        }

        Assert.Equal(before + 1, Tensor.LiveCount);
        Assert.Equal(3, kept.Item());
        kept.Dispose();
        Assert.Equal(before, Tensor.LiveCount);
    }

    [Fact]
    public void ASuspendedScopeOwnsNothingNew()
    {
        long before = Tensor.LiveCount;
        Tensor free;
        using (new TensorScope())
        {
            using (TensorScope.Suspend())
            {
                free = Tensor.Full([1], 5);
            }

            _ = Tensor.Zeros([1]);
        }

        Assert.Equal(before + 1, Tensor.LiveCount);
        Assert.Equal(5, free.Item());
        free.Dispose();
        Assert.Equal(before, Tensor.LiveCount);
    }

    [Fact]
    public void ScopesEndWhenAnExceptionLeavesThem()
    {
        long before = Tensor.LiveCount;
        Assert.Throws<TorchException>(() =>
        {
            using var scope = new TensorScope();
            Tensor a = Tensor.Zeros([2]);
            _ = a.MatMul(Tensor.Zeros([3]));
        });
        Assert.Equal(before, Tensor.LiveCount);
        using Tensor outside = Tensor.Zeros([1]);
        Assert.Equal(before + 1, Tensor.LiveCount);
    }

    [Fact]
    public void EveryThreadHasItsOwnScope()
    {
        Tensor? other = null;
        using (new TensorScope())
        {
            var thread = new Thread(() => other = Tensor.Full([1], 6));
            thread.Start();
            thread.Join();
        }

        Assert.Equal(6, other!.Item());
        other.Dispose();
    }

    [Fact]
    public void AnAbandonedTensorIsFinalized()
    {
        long before = Tensor.LiveCount;
        var thread = new Thread(() => _ = Tensor.Zeros([1]));
        thread.Start();
        thread.Join();
        Assert.Equal(before + 1, Tensor.LiveCount);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(before, Tensor.LiveCount);
    }

    [Fact]
    public void AHundredTrainingStepsLeaveNoTensorBehind()
    {
        long empty = Tensor.LiveCount;
        ModelConfig model = Sample.Model(3);
        var optimizer = new AdamW(new AdamWConfig());
        using (TrainingState state = TrainingState.Begin(model, 6, optimizer, 1, Device.Cpu))
        {
            TrainingStep[] steps =
            [
                new(optimizer, clipNorm: 1, Compute.Cpu), new(optimizer, clipNorm: 1, Compute.Cpu with { Bf16 = true }),
            ];
            ForwardPlan[] plans = [ForwardPlan.Of(LayerMap.Interpolate(3, 6)), new([new(0, Trains: false), new(2)])];
            using Tensor ids = Sample.Indices(1, model.Vocabulary, 2, 12), targets = Sample.Indices(2, model.Vocabulary, 2, 12);
            long before = Tensor.LiveCount;
            List<double> losses = [];
            for (int step = 0; step < 100; step++)
            {
                losses.Add(steps[step % 2].Run(
                    state, 2, microBatch => plans[microBatch], (_, _) => new ModelBatch(ids, targets), _ => 1, 1e-2).Loss);
                Assert.Equal(before, Tensor.LiveCount);
            }

            Assert.True(losses[^1] < losses[0] / 2, $"loss went from {losses[0]} to {losses[^1]}");
        }

        Assert.Equal(empty, Tensor.LiveCount);
    }

    [Theory]
    [InlineData(MomentPolicy.Keep)]
    [InlineData(MomentPolicy.Map)]
    [InlineData(MomentPolicy.Reset)]
    public void AGrownStateOwnsItsTensorsAndTheOldOneNone(MomentPolicy moments)
    {
        long empty = Tensor.LiveCount;
        TrainingState state = TrainingState.Begin(Sample.Model(2), 5, new AdamW(new AdamWConfig()), 1, Device.Cpu);
        TrainingState grown;
        using (new TensorScope())
        {
            // It looks at no data.
            grown = new CopyLayers(5, LayerMapKind.Interpolate) { Moments = moments }.Apply(state, null!);
        }

        Assert.Equal(empty + (3 * grown.Model.Parameters.Count), Tensor.LiveCount);
        Assert.All(grown.Model.Parameters, parameter => Assert.Equal(parameter.Spec.Shape, parameter.Value.Shape));
        grown.Dispose();
        Assert.Equal(empty, Tensor.LiveCount);
    }

    /// <summary>A learned map takes nothing with it, be it all made or refused on the way.</summary>
    [Theory]
    [InlineData(1e-3)]
    [InlineData(1e30)]
    public void ALearnedMapLeavesWeightsAlone(double rate)
    {
        long empty = Tensor.LiveCount;
        ModelConfig model = Sample.Bert(2);
        var growth = new Ligo { LayerCount = 3, HiddenSize = 24, FfnSize = 70, Steps = 3, LearningRate = rate };
        TrainingState state = TrainingState.Begin(model, 2, new AdamW(new AdamWConfig()), 1, Device.Cpu);
        long before = Tensor.LiveCount;
        if (rate > 1)
        {
            Assert.Throws<UserErrorException>(() => growth.Apply(state, new LigoContext(model)));
            Assert.Equal(before, Tensor.LiveCount);
            state.Dispose();
        }
        else
        {
            using TrainingState grown = growth.Apply(state, new LigoContext(model));
            Assert.Equal(empty + (3 * grown.Model.Parameters.Count), Tensor.LiveCount);
        }

        Assert.Equal(empty, Tensor.LiveCount);
    }
}
