using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>Twice the width (Staged Training, section 3.2), against its formulas written out element by element.</summary>
[Trait("Kind", "Slow")]
public class DoubleWidthTests
{
    private static readonly Gen<(ModelConfig Model, MomentPolicy Moments)> Growths =
        from model in GrowthSample.All
        from moments in Gen.Elements(Enum.GetValues<MomentPolicy>())
        select (model, moments);

    private static void ForAllGrowths(int tests, Action<ModelConfig, MomentPolicy> holds) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(tests),
        Prop.ForAll(Growths.ToArbitrary(), growth => holds(growth.Model, growth.Moments)));

    [Fact]
    public void TwiceAsWideAndAsDeepAsBefore() => ForAllGrowths(50, (model, moments) =>
    {
        ModelConfig grown = new DoubleWidth().Grow(model);
        Assert.Equal(
            (2 * model.HiddenSize, 2 * model.Heads, 2 * model.FfnWidth), (grown.HiddenSize, grown.Heads, grown.FfnWidth));
        Assert.Equal(
            model, grown.WithWidth(model.HiddenSize, model.Heads, model.FfnSize));
        Assert.Equal($"double-width, moments {moments.ToString().ToLowerInvariant()}", new DoubleWidth { Moments = moments }.ToString());
    });

    [Fact]
    public void ScoresAndLossStayAsTheyWere() => ForAllGrowths(40, (model, moments) =>
    {
        TrainingState state = GrowthSample.State(model);
        ModelBatch batch = GrowthSample.Batch(model);
        ForwardPlan plan = ForwardPlan.Plain(model.Layers);
        Tensor scores = ForwardPass.Logits(state.Model, batch.Input, plan), loss = ForwardPass.LossSum(state.Model, batch, plan);
        using TrainingState grown = Grown(state, moments);
        Near.Equal(scores, ForwardPass.Logits(grown.Model, batch.Input, plan), 2e-5);
        Near.Equal(loss, ForwardPass.LossSum(grown.Model, batch, plan), 2e-5);
    });

    [Fact]
    public void WeightsStandTwiceInDiagonalBlocks() => ForAllGrowths(60, (model, moments) =>
    {
        TrainingState state = GrowthSample.State(model);
        var before = Values(state, (parameter, _) => parameter.Value);
        using TrainingState grown = Grown(state, moments);
        Assert.Same(GrowthSample.Position, grown.Position);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            Assert.True(parameter.Value.RequiresGrad, parameter.Name);
            double factor = IsHeadNorm(parameter) ? 0.5 : 1;
            Compare(before[parameter.Name], parameter, parameter.Value, origin => origin.IsOnDiagonal ? factor : 0);
        }
    });

    /// <summary>As the gradients: half, and of their squares a quarter; of what only the head reads, and of its bias, all.</summary>
    [Fact]
    public void WhatTheOptimizerRemembersGrowsByItsPolicy() => ForAllGrowths(60, (model, moments) =>
    {
        TrainingState state = GrowthSample.State(model);
        var avg = Values(state, (_, own) => own.Slots[AdamW.ExpAvg].Value);
        var avgSq = Values(state, (_, own) => own.Slots[AdamW.ExpAvgSq].Value);
        var steps = state.Optimizer.ToDictionary(pair => pair.Key, pair => pair.Value.Steps);
        using TrainingState grown = Grown(state, moments);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            ParameterState own = grown.Optimizer[parameter.Name];
            double gradient = GradientFactor(parameter);
            Compare(avg[parameter.Name], parameter, own.Slots[AdamW.ExpAvg].Value, origin => Share(origin, gradient));
            Compare(avgSq[parameter.Name], parameter, own.Slots[AdamW.ExpAvgSq].Value, origin => Share(origin, gradient * gradient));
            Assert.Equal(moments == MomentPolicy.Reset ? 0 : steps[parameter.Name], own.Steps);
        }

        double Share(Origin origin, double mapped) => moments switch
        {
            MomentPolicy.Map => origin.IsOnDiagonal ? mapped : 0,
            MomentPolicy.Keep => origin.IsOld ? 1 : 0,
            _ => 0,
        };
    });

    [Fact]
    public void NewIsWhatTheSecondCopyReadsOrWrites() => ForAllGrowths(40, (model, moments) =>
    {
        TrainingState state = GrowthSample.State(model);
        var ones = Values(state, (parameter, _) => Tensor.Full(parameter.Spec.Shape, 1));
        using TrainingState grown = Grown(state, moments);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            ParameterState own = grown.Optimizer[parameter.Name];
            Assert.Equal(parameter.Value.Count == ones[parameter.Name].Values.Length, own.New is null);
            if (own.New is not null)
            {
                Compare(ones[parameter.Name], parameter, own.NewElements(parameter), origin => origin.IsOld ? 0 : 1);
            }
        }
    });

    /// <summary>By autograd: the factors above are true. Off the diagonal there is a gradient too, though the weight is 0.</summary>
    [Fact]
    public void GradientsAreWhatTheMomentsArePromised() => ForAllGrowths(40, (model, _) =>
    {
        TrainingState state = GrowthSample.State(model);
        ModelBatch batch = GrowthSample.Batch(model);
        ForwardPlan plan = ForwardPlan.Plain(model.Layers);
        ForwardPass.LossSum(state.Model, batch, plan).Backward();
        var before = Values(state, (parameter, _) => parameter.Value.Grad!);
        using TrainingState grown = Grown(state, MomentPolicy.Map);
        ForwardPass.LossSum(grown.Model, batch, plan).Backward();
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            Compare(before[parameter.Name], parameter, parameter.Value.Grad!, _ => GradientFactor(parameter), 2e-4, floor: 0.1);
        }
    });

    /// <summary>
    /// The paper's claim: the size of Adam's updates is unchanged. Every weight that was there, and its copy, moves as it
    /// would have without the growth.
    /// </summary>
    [Fact]
    public void TheNextUpdateMovesEveryWeightAsItWouldHave() => ForAllGrowths(40, (model, _) =>
    {
        TrainingState state = GrowthSample.State(model);
        using TrainingState without = state.Copy();
        var before = Values(without, (parameter, _) => parameter.Value);
        Update(without);
        var moved = Values(without, (parameter, _) => parameter.Value);
        var expected = before.ToDictionary(
            pair => pair.Key,
            pair => (moved[pair.Key].Values.Zip(pair.Value.Values, (after, was) => after - was).ToArray(), pair.Value.Shape));

        using TrainingState grown = Grown(state, MomentPolicy.Map);
        var start = Values(grown, (parameter, _) => parameter.Value);
        Update(grown);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            double[] change = [.. Near.Values(parameter.Value).Zip(start[parameter.Name].Values, (after, was) => after - was)];
            Compare(expected[parameter.Name], parameter, change, origin => origin.IsOnDiagonal ? 1 : null, 1e-3);
        }
    });

    /// <summary>
    /// So the next loss is that of the smaller model's next update, but for two things that the paper passes over: weights
    /// off the diagonal begin to move, and the last norm, halved, moves by as much as when it was whole.
    /// </summary>
    [Fact]
    public void TheNextLossIsThatOfTheNextUpdateOfTheSmallerModel()
    {
        double largest = 0;
        ForAllGrowths(40, (model, _) => largest = Math.Max(largest, ChangeOfLoss(model)));
        Assert.True(largest > 0.02, "no update changed the loss: the test shows nothing");
    }

    /// <summary>By which share the smaller model's next update changes its loss; the grown model's is checked to be the same.</summary>
    private static double ChangeOfLoss(ModelConfig model)
    {
        TrainingState state = GrowthSample.State(model);
        ModelBatch batch = GrowthSample.Batch(model);
        ForwardPlan plan = ForwardPlan.Plain(model.Layers);
        var before = Values(state, (parameter, _) => parameter.Value);
        double loss = ForwardPass.LossSum(state.Model, batch, plan).Item();
        using TrainingState without = state.Copy();
        Update(without, rate: 0.05);
        double expected = ForwardPass.LossSum(without.Model, batch, plan).Item();

        using TrainingState grown = Grown(state, MomentPolicy.Map);
        var start = Values(grown, (parameter, _) => parameter.Value);
        Update(grown, rate: 0.05);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            float[] changed = parameter.Value.ToArray<float>();
            double[] was = start[parameter.Name].Values;
            for (int i = 0; i < changed.Length; i++)
            {
                changed[i] = !OriginOf(parameter, parameter.Spec.Shape, before[parameter.Name].Shape, i).IsOnDiagonal ? 0
                    : IsHeadNorm(parameter) ? (float)((changed[i] + was[i]) / 2)
                    : changed[i];
            }

            parameter.Value.Detach().CopyFrom(Tensor.From<float>(changed, parameter.Spec.Shape));
        }

        double actual = ForwardPass.LossSum(grown.Model, batch, plan).Item();
        Assert.Equal(expected, actual, 5e-5 * loss);
        return Math.Abs(expected - loss) / loss;
    }

    private static TrainingState Grown(TrainingState state, MomentPolicy moments) =>
        new DoubleWidth { Moments = moments }.Apply(state, GrowthSample.NoContext);

    /// <summary>An update by AdamW without decay and clipping.</summary>
    private static void Update(TrainingState state, double rate = 0.01)
    {
        ModelBatch batch = GrowthSample.Batch(state.Model.Config);
        ForwardPass.LossSum(state.Model, batch, ForwardPlan.Plain(state.Model.Config.Layers)).Backward();
        new AdamW(new AdamWConfig { WeightDecay = 0, Epsilon = 1e-12 })
            .Step(state.Model.Parameters, state.Optimizer, 1.0 / batch.TargetCount, rate);
    }

    private static bool IsHeadNorm(Parameter parameter) =>
        parameter.Name.StartsWith("transformer.ln_f.", StringComparison.Ordinal)
        || parameter.Name == "model.norm.weight"
        || parameter.Name.StartsWith("cls.predictions.transform.LayerNorm.", StringComparison.Ordinal);

    private static double GradientFactor(Parameter parameter) =>
        IsHeadNorm(parameter) || parameter.Name == "cls.predictions.bias" || IsSharedByHeads(parameter) ? 1 : 0.5;

    private static bool IsSharedByHeads(Parameter parameter) => parameter.Spec.Role.EndsWith("_norm.weight", StringComparison.Ordinal);

    private static Dictionary<string, (double[] Values, long[] Shape)> Values(
        TrainingState state, Func<Parameter, ParameterState, Tensor> tensor) => state.Model.Parameters.ToDictionary(
            parameter => parameter.Name,
            parameter => (Near.Values(tensor(parameter, state.Optimizer[parameter.Name])), parameter.Spec.Shape));

    private static void Compare(
        (double[] Values, long[] Shape) before, Parameter parameter, Tensor actual, Func<Origin, double?> factor,
        double tolerance = 1e-7, double floor = 1e-3) =>
        Compare(before, parameter, Near.Values(actual), factor, tolerance, floor);

    /// <summary>Each element against the one it comes from times a factor; null leaves it out.</summary>
    private static void Compare(
        (double[] Values, long[] Shape) before, Parameter parameter, double[] actual, Func<Origin, double?> factor,
        double tolerance, double floor = 1e-3)
    {
        Assert.Equal(parameter.Value.Count, actual.Length);
        var expected = new double[actual.Length];
        for (int i = 0; i < actual.Length; i++)
        {
            Origin origin = OriginOf(parameter, parameter.Spec.Shape, before.Shape, i);
            expected[i] = factor(origin) is double share ? share * before.Values[origin.Index] : actual[i];
        }

        Near.Equal(expected, actual, tolerance, parameter.Name, floor);
    }

    /// <summary>What an element of a grown parameter comes from.</summary>
    /// <param name="Index">The old element, row by row.</param>
    /// <param name="IsOld">Whether it is that one itself.</param>
    /// <param name="IsOnDiagonal">Whether it joins a copy to itself.</param>
    private readonly record struct Origin(int Index, bool IsOld, bool IsOnDiagonal);

    private static Origin OriginOf(Parameter parameter, long[] shape, long[] before, int element)
    {
        long last = shape[^1];
        (long row, long column) = shape.Length == 1 ? (0, element) : Math.DivRem(element, last);
        (long rowSource, int? rowCopy) = shape.Length == 1 ? (0, null) : Along(row, shape[0], before[0], 1);

        // Of all axes, only GPT-2's joint queries, keys and values lie in three parts.
        bool isJoint = parameter.Name.Contains(".attn.c_attn.", StringComparison.Ordinal);
        (long columnSource, int? columnCopy) = Along(column, last, before[^1], isJoint ? 3 : 1);
        return new Origin(
            (int)((rowSource * before[^1]) + columnSource),
            (rowCopy ?? 0) + (columnCopy ?? 0) == 0,
            rowCopy is null || columnCopy is null || rowCopy == columnCopy);
    }

    /// <summary>Within each part the old elements, then the same again; an axis that has not grown has no copies.</summary>
    private static (long Source, int? Copy) Along(long place, long size, long before, int parts)
    {
        if (size == before)
        {
            return (place, null);
        }

        Assert.Equal(2 * before, size);
        (long part, long within) = Math.DivRem(place, size / parts);
        (long copy, long source) = Math.DivRem(within, before / parts);
        return ((part * (before / parts)) + source, (int)copy);
    }
}
