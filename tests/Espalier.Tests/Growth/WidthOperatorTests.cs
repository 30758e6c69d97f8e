using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>What all operators that grow width have in common.</summary>
[Trait("Kind", "Slow")]
public class WidthOperatorTests
{
    [Fact]
    public void ScoresAndLossStayWhereThePromiseSaysExactly() => WidthSample.ForAll(WidthSample.Exact, 120, (model, growth) =>
    {
        Assert.Equal(Kept.Exactly, growth.Promise(model).Loss);
        Keeps(model, growth, GrowthSample.NoContext);
    });

    [Fact]
    public void FreshFeedForwardUnitsChangeNoScore() => WidthSample.ForAll(Added, 40, (model, growth) =>
    {
        Assert.Equal(Kept.Exactly, growth.Promise(model).Loss);
        Keeps(model, growth, WidthSample.Context);
    });

    [Fact]
    public void FreshLayersOfZerosChangeNoScoreWhereNormsComeFirst() => WidthSample.ForAll(AddedInDepth, 40, (model, growth) =>
    {
        Assert.Equal(model is Gpt2Config ? Kept.Exactly : Kept.Approximately, growth.Promise(model).Loss);
        if (model is Gpt2Config)
        {
            Keeps(model, growth, WidthSample.Context);
        }
    });

    /// <summary>At any size: what is promised exactly holds; less is promised only where units are copied unequally often.</summary>
    [Fact]
    public void PromisesAsMuchAsItKeeps() => WidthSample.ForAll(WidthSample.Any, 120, (model, growth) =>
    {
        ModelConfig grown = growth.Grow(model);
        bool wholeRounds = grown.HiddenSize % model.HiddenSize == 0;
        bool grows = grown.HiddenSize > model.HiddenSize || grown.FfnWidth > model.FfnWidth;
        Kept promised = growth.Promise(model).Loss;
        if (growth is Aki)
        {
            Assert.Equal(Kept.Not, promised);
        }
        else if (promised == Kept.Exactly)
        {
            Keeps(model, growth, GrowthSample.NoContext);
        }
        else
        {
            Assert.True(grows);
            Assert.True(growth is Sparkling || !wholeRounds || growth is Net2Net { Sources: UnitSources.Random });
            Assert.Equal(growth is Sparkling ? Kept.Not : Kept.Approximately, promised);
        }
    });

    /// <summary>Layer norm notices units that are copied unequally often: the promise is no exact one for a reason.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void HiddenUnitsThatAreCopiedUnequallyOftenMoveTheScores(bool isBert)
    {
        ModelConfig model = isBert ? GrowthSample.Bert(2) : GrowthSample.Gpt2(2);
        WidthOperator[] copying = isBert ? [new Net2Net { HiddenSize = 24 }, new Lemon { HiddenSize = 24 }] : [new Net2Net { HiddenSize = 24 }];
        foreach (WidthOperator growth in copying)
        {

            Assert.Equal(Kept.Approximately, growth.Promise(model).Loss);
            using TrainingState state = GrowthSample.State(model);
            ModelInput input = GrowthSample.Batch(model).Input;
            Tensor before = ForwardPass.Logits(state.Model, input, ForwardPlan.Plain(2));
            using TrainingState grown = growth.Apply(state.Copy(), GrowthSample.NoContext);
            Assert.InRange(Near.RelativeError(before, ForwardPass.Logits(grown.Model, input, ForwardPlan.Plain(2))), 1e-3, 1);
        }
    }

    /// <summary>
    /// By autograd: what the optimizer remembers of a gradient becomes what it would remember of the grown model's, and of its
    /// square as well.
    /// </summary>
    [Fact]
    public void MappedMomentsFollowTheGradients() => WidthSample.ForAll(
        Gen.OneOf(WidthSample.ExactInGradients, Added, AddedInWidth, AddedInDepth.Where(growth => growth.Model is Gpt2Config)), 150, (model, growth) =>
        {
            using TrainingState grown = (growth with { Moments = MomentPolicy.Map }).Apply(WithGradients(model), WidthSample.Context);
            ForwardPass.LossSum(grown.Model, GrowthSample.Batch(model), ForwardPlan.Plain(grown.Model.Config.Layers)).Backward();
            foreach (Parameter parameter in grown.Model.Parameters.Where(parameter => parameter.Spec.Layer is not int layer || layer < model.Layers))
            {
                ParameterState own = grown.Optimizer[parameter.Name];
                double[] gradient = Near.Values(parameter.Value.Grad!);

                // New elements that are zero have a gradient that nothing could remember.
                bool hasNewZeros = growth is Composable && own.New is not null && parameter.Spec.Axes.Any(
                    axis => axis is { Kind: AxisKind.Ffn or AxisKind.Heads, Side: AxisSide.Input } or { Kind: AxisKind.Hidden, Side: AxisSide.Output });
                if (hasNewZeros)
                {
                    double[] isNew = Near.Values(own.NewElements(parameter));
                    gradient = [.. gradient.Select((value, i) => isNew[i] > 0 ? 0 : value)];
                }

                Near.Equal(gradient, Near.Values(own.Slots[AdamW.ExpAvg].Value), 1e-8, parameter.Name, floor: 0.1);
                Near.Equal(
                    [.. gradient.Select(value => value * value)], Near.Values(own.Slots[AdamW.ExpAvgSq].Value), 1e-8,
                    parameter.Name, floor: 0.1);
            }
        });

    /// <summary>Layer norm mixes gradients: with unequal shares they are only near what the moments become.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void GradientsOfUnequalHiddenSharesAreMappedRoughly(bool isBert)
    {
        ModelConfig model = isBert ? GrowthSample.Bert(2) : GrowthSample.Gpt2(2);
        using TrainingState grown = new Lemon { HiddenSize = 32, Seed = 1 }.Apply(WithGradients(model), GrowthSample.NoContext);
        ForwardPass.LossSum(grown.Model, GrowthSample.Batch(model), ForwardPlan.Plain(2)).Backward();
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            double error = Near.RelativeError(
                parameter.Value.Grad!, grown.Optimizer[parameter.Name].Slots[AdamW.ExpAvg].Value);
            if (parameter.Spec.IsReadByHead)
            {
                Assert.InRange(error, 0, 1e-4);
            }
            else if (parameter.Spec.Axes[0].Kind == AxisKind.Position)
            {
                Assert.InRange(error, 1e-3, 0.9);
            }
        }
    }

    /// <summary>What is not new is the old model, element by element in its old order; nothing else remembers anything.</summary>
    [Fact]
    public void KeptMomentsStayWithWhatIsOld() => WidthSample.ForAll(
        Gen.OneOf(WidthSample.Any, Added, Padded, Tiled), 120, (model, growth) =>
        {
            TrainingState state = GrowthSample.State(model);
            var before = state.Model.Parameters.ToDictionary(parameter => parameter.Name, parameter => Remembered(state, parameter));
            using TrainingState grown = (growth with { Moments = MomentPolicy.Keep }).Apply(state, WidthSample.Context);
            foreach (Parameter parameter in grown.Model.Parameters)
            {
                ParameterState own = grown.Optimizer[parameter.Name];
                (double[] avg, double[] avgSq, long steps) = Remembered(grown, parameter);
                Assert.Equal(before[parameter.Name].Steps, steps);
                Assert.Equal(before[parameter.Name].Avg.Length == parameter.Value.Count, own.New is null);
                double[] isNew = own.New is null ? new double[avg.Length] : Near.Values(own.NewElements(parameter));
                Assert.Equal(before[parameter.Name].Avg, avg.Where((_, i) => isNew[i] == 0));
                Assert.Equal(before[parameter.Name].AvgSq, avgSq.Where((_, i) => isNew[i] == 0));
                Assert.All(avg.Concat(avgSq).Where((_, i) => isNew[i % avg.Length] > 0), value => Assert.Equal(0, value));
            }
        });

    [Fact]
    public void ResetMomentsAreEmpty() => WidthSample.ForAll(Gen.OneOf(WidthSample.Any, Added, Padded, Tiled), 40, (model, growth) =>
    {
        using TrainingState grown = (growth with { Moments = MomentPolicy.Reset })
            .Apply(GrowthSample.State(model), WidthSample.Context);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            (double[] avg, double[] avgSq, long steps) = Remembered(grown, parameter);
            Assert.Equal(0, steps);
            Assert.All(avg.Concat(avgSq), value => Assert.Equal(0, value));
        }
    });

    [Fact]
    public void GrowsToTheGivenSizesAndLeavesTheRest() => WidthSample.ForAll(WidthSample.Any, 100, (model, growth) =>
    {
        ModelConfig grown = growth.Grow(model);
        Assert.Equal(
            (growth.HiddenSize ?? model.HiddenSize, growth.FfnSize ?? model.FfnWidth, model.HeadSize),
            (grown.HiddenSize, grown.FfnWidth, grown.HeadSize));
        Assert.Equal(
            model,
            grown with
            {
                HiddenSize = model.HiddenSize,
                Heads = model.Heads,
                FfnSize = model.FfnSize,
                LayerNormEpsilon = model.LayerNormEpsilon,
            });
        bool hasMeans = growth is Lemon && model is Gpt2Config && grown.HiddenSize % model.HiddenSize > 0;
        double ofCopies = (double)(grown.HiddenSize - (grown.HiddenSize % model.HiddenSize)) / grown.HiddenSize;
        Assert.Equal(hasMeans ? model.LayerNormEpsilon * ofCopies : model.LayerNormEpsilon, grown.LayerNormEpsilon);
    });

    /// <summary>The feed-forward width that follows the hidden size by default stays where it was, unless it is asked to grow.</summary>
    [Fact]
    public void WhatIsNotGivenStays()
    {
        ModelConfig model = GrowthSample.Gpt2(1);
        Assert.Equal(64, new HyperCloning { HiddenSize = 32 }.Grow(model).FfnWidth);
        Assert.Equal(4, new HyperCloning { HiddenSize = 32 }.Grow(model).Heads);
        Assert.Equal(model, new HyperCloning().Grow(model));
    }

    public static TheoryData<WidthOperator, string> Refused => new()
    {
        { new Net2Net { HiddenSize = 8 }, "`hidden_size` 8 is less than the model's 16." },
        { new Lemon { Heads = 1 }, "`heads` 1 is less than the model's 2." },
        { new Sparkling { FfnSize = 63 }, "`ffn_size` 63 is less than the model's 64." },
        { new Net2Net { HiddenSize = 20 }, "`hidden_size` 20 is not a multiple of the size of a head, 8." },
        { new Net2Net { HiddenSize = 32, Heads = 3 }, "`heads` 3 do not divide `hidden_size` 32; heads keep their size, 8." },
        { new Net2Net { HiddenSize = 32, Heads = 2 }, "`heads` 2 of `hidden_size` 32 are of size 16; heads keep their size, 8." },
        { new Lemon { Heads = 4 }, "`heads` 4 of `hidden_size` 16 are of size 4; heads keep their size, 8." },
        { new HyperCloning { HiddenSize = 24 }, "`hidden_size` 24 is not a multiple of the model's 16." },
        { new HyperCloning { FfnSize = 100 }, "`ffn_size` 100 is not a multiple of the model's 64." },
        { new ZeroPadWidth { HiddenSize = 40 }, "`hidden_size` 40 is more than twice the model's 16." },
        { new ZeroPadWidth { FfnSize = 129 }, "`ffn_size` 129 is more than twice the model's 64." },
        { new Composable { HiddenSize = 32 }, "`hidden_size` 32 is not the model's 16: units of zeros would change the mean that its layer norms take." },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void RefusesByTheKeyAndLeavesTheStateWhole(WidthOperator growth, string message)
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(2));
        var exception = Assert.Throws<UserErrorException>(() => growth.Apply(state, GrowthSample.NoContext));
        Assert.Equal(message, exception.Message);
        Assert.NotNull(exception.Hint);
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    public static TheoryData<WidthOperator, string> Named => new()
    {
        { new HyperCloning { HiddenSize = 32, FfnSize = 128 }, "hyper-cloning hidden_size 32, ffn_size 128, moments map" },
        { new HyperCloning { FfnSize = 128, Noise = 7.5, Seed = 3 }, "hyper-cloning ffn_size 128, noise 7.5 dB, seed 3, moments map" },
        { new Net2Net { HiddenSize = 32, Heads = 4 }, "net2net hidden_size 32, heads 4, sources cyclic, moments map" },
        {
            new Net2Net { FfnSize = 70, Sources = UnitSources.Random, Seed = 5, Moments = MomentPolicy.Reset },
            "net2net ffn_size 70, sources random, seed 5, moments reset"
        },
        { new Lemon { FfnSize = 70, Seed = 9 }, "lemon ffn_size 70, seed 9, moments map" },
        { new CenterTiling { HiddenSize = 32, Count = 5 }, "center-tiling hidden_size 32, layers 5, moments reset" },
        { new Composable { Count = 3 }, "composable layers 3, moments map" },
        { new Aki { HiddenSize = 32 }, "aki hidden_size 32, moments map" },
        { new Sparkling { HiddenSize = 32 }, "sparkling hidden_size 32, moments keep" },
        { new ZeroPadWidth { FfnSize = 128, Shrink = 0.5 }, "zero-pad-width ffn_size 128, shrink 0.5, moments reset" },
        { new Composable { FfnSize = 65, Moments = MomentPolicy.Keep }, "composable ffn_size 65, moments keep" },
    };

    [Theory]
    [MemberData(nameof(Named))]
    public void SaysWhatItIs(WidthOperator growth, string says) => Assert.Equal(says, growth.ToString());

    private static Gen<(ModelConfig Model, WidthOperator Operator)> Added { get; } =
        from model in GrowthSample.Models
        from more in Gen.Choose(0, 40)
        select (model, (WidthOperator)new Composable { FfnSize = model.FfnWidth + more });

    /// <summary>Hidden units and heads too, where norms take no mean.</summary>
    private static Gen<(ModelConfig Model, WidthOperator Operator)> AddedInWidth { get; } =
        from model in GrowthSample.Rotary.Where(model => model is LlamaConfig)
        from times in Gen.Choose(2, 3)
        from more in Gen.Choose(0, 9)
        select (model, (WidthOperator)new Composable { HiddenSize = times * model.HiddenSize, FfnSize = model.FfnWidth + more });

    private static Gen<(ModelConfig Model, WidthOperator Operator)> AddedInDepth { get; } =
        from growth in Added
        from layers in Gen.Choose(1, 3)
        select (growth.Model, (WidthOperator)((Composable)growth.Operator with { Count = growth.Model.Layers + layers }));

    private static Gen<(ModelConfig Model, WidthOperator Operator)> Tiled { get; } =
        from growth in WidthSample.Any
        select (growth.Model, (WidthOperator)new CenterTiling { HiddenSize = growth.Operator.HiddenSize, FfnSize = growth.Operator.FfnSize });

    private static Gen<(ModelConfig Model, WidthOperator Operator)> Padded { get; } =
        from model in GrowthSample.Models
        from heads in Gen.Choose(0, 3)
        from more in Gen.Choose(0, 9)
        select (model, (WidthOperator)new ZeroPadWidth
        {
            HiddenSize = (model.Heads + Math.Min(heads, model.Heads)) * model.HeadSize,
            FfnSize = model.FfnWidth + Math.Min(more, model.FfnWidth),
        });

    private static void Keeps(ModelConfig model, WidthOperator growth, IGrowthContext context)
    {
        TrainingState state = GrowthSample.ExactState(model);
        ModelBatch batch = GrowthSample.Batch(model);
        ForwardPlan plan = ForwardPlan.Plain(model.Layers);
        Tensor scores = ForwardPass.Logits(state.Model, batch.Input, plan), loss = ForwardPass.LossSum(state.Model, batch, plan);
        using TrainingState grown = growth.Apply(state, context);
        ForwardPlan deeper = ForwardPlan.Plain(grown.Model.Config.Layers);
        Near.Equal(scores, ForwardPass.Logits(grown.Model, batch.Input, deeper), 1e-9, growth.ToString());
        Near.Equal(loss, ForwardPass.LossSum(grown.Model, batch, deeper), 1e-9, growth.ToString());
    }

    /// <summary>A state whose moments are a gradient and its square.</summary>
    private static TrainingState WithGradients(ModelConfig model)
    {
        TrainingState state = GrowthSample.ExactState(model);
        ForwardPass.LossSum(state.Model, GrowthSample.Batch(model), ForwardPlan.Plain(model.Layers)).Backward();
        foreach (Parameter parameter in state.Model.Parameters)
        {
            ParameterState own = state.Optimizer[parameter.Name];
            Tensor gradient = parameter.Value.Grad!;
            own.Slots[AdamW.ExpAvg].Value.CopyFrom(gradient);
            own.Slots[AdamW.ExpAvgSq].Value.CopyFrom(GrowthSample.Squared(gradient));
        }

        return state;
    }

    private static (double[] Avg, double[] AvgSq, long Steps) Remembered(TrainingState state, Parameter parameter)
    {
        ParameterState own = state.Optimizer[parameter.Name];
        return (Near.Values(own.Slots[AdamW.ExpAvg].Value), Near.Values(own.Slots[AdamW.ExpAvgSq].Value), own.Steps);
    }
}
