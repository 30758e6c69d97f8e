using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>Copies that give nothing as yet: <see cref="IdentityLayers"/> and <see cref="ZeroOutputLayers"/>.</summary>
public class SilentLayersTests
{
    private static readonly Gen<(ModelConfig Model, GrowthOperator Operator)> Growths =
        from model in GrowthSample.Models
        from more in Gen.Choose(0, 6)
        from growth in Gen.Elements<GrowthOperator>(
            new IdentityLayers(model.Layers + more), new IdentityLayers(model.Layers + more, LayerMapKind.Stack),
            new ZeroOutputLayers(model.Layers + more))
        from moments in Gen.Elements(Enum.GetValues<MomentPolicy>())
        select (model, growth with { Moments = moments });

    private static void ForAllGrowths(int tests, Action<ModelConfig, GrowthOperator> holds) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(tests),
        Prop.ForAll(Growths.ToArbitrary(), growth => holds(growth.Model, growth.Operator)));

    /// <summary>Bit for bit, every bias there is being other than 0.</summary>
    [Fact]
    public void WhereNormsComeFirstScoresAndLossStayAsTheyWere() => ForAllGrowths(80, (model, growth) =>
    {
        Assert.Equal(model is Gpt2Config ? Kept.Exactly : Kept.Approximately, growth.Promise(model).Loss);
        if (growth.Promise(model).Loss == Kept.Exactly)
        {
            ComputesAsBefore(GrowthSample.State(model), growth, Near.Identical);
        }
    });

    /// <summary>Norms at their initial values give back what they have made.</summary>
    [Fact]
    public void WhereNormsComeAfterNewModelsStayNearlyAsTheyWere() => ForAllGrowths(80, (model, growth) =>
    {
        TrainingState state = GrowthSample.State(model);
        foreach (Parameter parameter in state.Model.Parameters.Where(IsNorm))
        {
            using var noGrad = new NoGrad();
            parameter.Value.Fill(parameter.Spec.Initialization == Initialization.Ones ? 1 : 0);
        }

        ComputesAsBefore(state, growth, (expected, actual, what) => Near.Equal(expected, actual, 1e-3, what));
    });

    /// <summary>So the promise for them is no more than that: LN(LN(x)) is not x.</summary>
    [Fact]
    public void WhereNormsComeAfterOthersDoNot()
    {
        ModelConfig model = GrowthSample.Bert(3);
        foreach (GrowthOperator growth in new GrowthOperator[] { new IdentityLayers(6), new ZeroOutputLayers(6) })
        {
            TrainingState state = GrowthSample.State(model);
            ModelInput input = GrowthSample.Batch(model).Input;
            Tensor before = ForwardPass.Hidden(state.Model, input, ForwardPlan.Plain(3));
            using TrainingState copied = new CopyLayers(6, LayerMapKind.Interpolate).Apply(state.Copy(), GrowthSample.NoContext);
            using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);
            double error = Near.RelativeError(before, ForwardPass.Hidden(grown.Model, input, ForwardPlan.Plain(6)));
            double ofCopies = Near.RelativeError(before, ForwardPass.Hidden(copied.Model, input, ForwardPlan.Plain(6)));
            Assert.InRange(error, 0.01, ofCopies / 2);
        }
    }

    /// <summary>What is old is as it was, what is new a copy but for what silences it, and slots go by the policy.</summary>
    [Fact]
    public void WeightsAndSlotsAreThoseOfTheirSources() => ForAllGrowths(100, (model, growth) =>
    {
        int[] map = MapOf(model, growth);
        TrainingState state = GrowthSample.State(model);
        var weights = state.Model.Parameters.ToDictionary(p => (p.Spec.Layer, p.Spec.Role), p => Near.Values(p.Value));
        var slots = state.Model.Parameters.ToDictionary(
            p => (p.Spec.Layer, p.Spec.Role), p => (state.Optimizer[p.Name].Steps, Of(state.Optimizer[p.Name])));
        using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);
        Assert.Equal(model with { Layers = map.Length }, grown.Model.Config);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            (int? layer, string role) = (parameter.Spec.Layer, parameter.Spec.Role);
            int? source = layer is int place ? map[place] : null;
            bool isNew = layer is int at && map.Take(at).Contains(map[at]);
            double[] expected = weights[(source, role)];
            Assert.Equal(isNew && IsSilent(growth, model, role) ? new double[expected.Length] : expected, Near.Values(parameter.Value));

            ParameterState own = grown.Optimizer[parameter.Name];
            bool isKept = growth.Moments == MomentPolicy.Map || (growth.Moments == MomentPolicy.Keep && !isNew);
            (long steps, double[] values) = slots[(source, role)];
            Assert.Equal(isKept ? steps : 0, own.Steps);
            Assert.Equal(isKept ? values : new double[values.Length], Of(own));
            Assert.Equal(isNew ? NewUnits.All : null, own.New);
        }

        static double[] Of(ParameterState own) =>
            [.. Near.Values(own.Slots[AdamW.ExpAvg].Value), .. Near.Values(own.Slots[AdamW.ExpAvgSq].Value)];
    });

    /// <summary>By autograd: what is old has the gradient that it had, so that its slots are true, and the new can begin.</summary>
    [Fact]
    public void WhatIsOldHasItsGradientsAndTheNewCanLearn() => ForAllGrowths(60, (model, growth) =>
    {
        if (growth.Promise(model).Loss != Kept.Exactly)
        {
            return;
        }

        int[] map = MapOf(model, growth);
        TrainingState state = GrowthSample.State(model);
        ModelBatch batch = GrowthSample.Batch(model);
        ForwardPass.LossSum(state.Model, batch, ForwardPlan.Plain(model.Layers)).Backward();
        var before = state.Model.Parameters.ToDictionary(p => (p.Spec.Layer, p.Spec.Role), p => Near.Values(p.Value.Grad!));
        using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);
        ForwardPass.LossSum(grown.Model, batch, ForwardPlan.Plain(map.Length)).Backward();
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            double[] gradient = Near.Values(parameter.Value.Grad!);
            (int? layer, string role) = (parameter.Spec.Layer, parameter.Spec.Role);
            if (layer is int at && map.Take(at).Contains(map[at]))
            {
                bool learns = growth is IdentityLayers
                    ? role is "ln_1.weight" or "ln_2.weight" || role.EndsWith("c_proj.bias", StringComparison.Ordinal)
                    : role.Contains("c_proj", StringComparison.Ordinal);
                bool waits = growth is IdentityLayers ? role.EndsWith("c_proj.weight", StringComparison.Ordinal) : !learns;
                Assert.True(!learns || Array.Exists(gradient, value => value != 0), parameter.Name);
                Assert.True(!waits || Array.TrueForAll(gradient, value => value == 0), parameter.Name);
            }
            else
            {
                Near.Equal(before[(layer is int place ? map[place] : null, role)], gradient, 2e-4, parameter.Name, floor: 0.1);
            }
        }
    });

    [Fact]
    public void RefuseToShrinkAndLeaveTheStateWhole()
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(3));
        Assert.Throws<ArgumentOutOfRangeException>(() => new IdentityLayers(2).Apply(state, GrowthSample.NoContext));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ZeroOutputLayers(2).Apply(state, GrowthSample.NoContext));
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    [Fact]
    public void SayWhatTheyAre()
    {
        Assert.Equal("identity-layers 6 interpolate, moments map", new IdentityLayers(6).ToString());
        Assert.Equal(
            "identity-layers 8 stack, moments keep",
            new IdentityLayers(8, LayerMapKind.Stack) { Moments = MomentPolicy.Keep }.ToString());
        Assert.Equal("zero-output-layers 6, moments reset", new ZeroOutputLayers(6) { Moments = MomentPolicy.Reset }.ToString());
    }

    private static void ComputesAsBefore(TrainingState state, GrowthOperator growth, Action<Tensor, Tensor, string> compare)
    {
        ModelConfig model = state.Model.Config;
        ModelBatch batch = GrowthSample.Batch(model);
        ForwardPlan plan = ForwardPlan.Plain(model.Layers);
        Tensor scores = ForwardPass.Logits(state.Model, batch.Input, plan), loss = ForwardPass.LossSum(state.Model, batch, plan);
        using TrainingState grown = growth.Apply(state, GrowthSample.NoContext);
        ForwardPlan deeper = ForwardPlan.Plain(grown.Model.Config.Layers);
        compare(scores, ForwardPass.Logits(grown.Model, batch.Input, deeper), "scores");
        compare(loss, ForwardPass.LossSum(grown.Model, batch, deeper), "loss");
    }

    private static int[] MapOf(ModelConfig model, GrowthOperator growth) => growth switch
    {
        IdentityLayers identity => LayerMap.Build(identity.Map, model.Layers, identity.Count),
        _ => LayerMap.Spread(model.Layers, ((ZeroOutputLayers)growth).Count),
    };

    private static bool IsNorm(Parameter parameter) =>
        parameter.Name.Contains("LayerNorm.", StringComparison.Ordinal) || parameter.Name.Contains("ln_", StringComparison.Ordinal);

    /// <summary>By name, where the operators go by axes.</summary>
    private static bool IsSilent(GrowthOperator growth, ModelConfig model, string role) =>
        growth is IdentityLayers && model is Gpt2Config
            ? role.StartsWith("ln_", StringComparison.Ordinal) || role.EndsWith(".bias", StringComparison.Ordinal)
            : role.Contains("c_proj.", StringComparison.Ordinal)
                || role.StartsWith("attention.output.dense.", StringComparison.Ordinal)
                || role.StartsWith("output.dense.", StringComparison.Ordinal);
}
