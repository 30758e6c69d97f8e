using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>The learned map: what it starts as, what it learns and what it costs. Its formula: <see cref="LigoGoldenTests"/>.</summary>
public class LigoTests
{
    /// <summary>Layers, heads and feed-forward units that grow by any number, or stay.</summary>
    private static Gen<(ModelConfig Model, Ligo Operator)> Growths { get; } =
        from model in GrowthSample.Models
        from layers in Gen.Choose(0, 4)
        from heads in Gen.Choose(0, 3)
        from ffn in Gen.Choose(0, 9)
        from depth in Gen.Elements(Enum.GetValues<LayerMapKind>())
        select (model, new Ligo
        {
            LayerCount = model.Layers + layers,
            HiddenSize = (model.Heads + heads) * model.HeadSize,
            FfnSize = model.FfnWidth + ffn,
            Depth = depth,
        });

    [Fact]
    public void WithoutStepsAndNoiseItIsNet2NetAndCopiedLayers() => ForAll(100, (model, growth) =>
    {
        using TrainingState state = GrowthSample.State(model);
        using TrainingState wide = new Net2Net { HiddenSize = growth.HiddenSize, FfnSize = growth.FfnSize }
            .Apply(state.Copy(), GrowthSample.NoContext);
        using TrainingState expected = new CopyLayers(growth.LayerCount!.Value, growth.Depth).Apply(wide.Copy(), GrowthSample.NoContext);
        using TrainingState grown = (growth with { Steps = 0, Noise = 0 }).Apply(state.Copy(), new LigoContext(model));
        Assert.Equal(expected.Model.Config, grown.Model.Config);
        foreach ((Parameter made, Parameter by) in grown.Model.Parameters.Zip(expected.Model.Parameters))
        {
            Assert.Equal(by.Spec.Name, made.Spec.Name);
            Near.Equal(by.Value, made.Value, 1e-7, made.Name);
        }
    });

    [Fact]
    public void ThenWholeRoundsOfUnitsKeepTheScores() => ForAll(40, (model, growth) =>
    {
        TrainingState state = GrowthSample.State(model);
        ModelInput input = GrowthSample.Batch(model).Input;
        Tensor scores = ForwardPass.Logits(state.Model, input, ForwardPlan.Plain(model.Layers));
        using TrainingState grown = new Ligo { HiddenSize = 2 * model.HiddenSize, FfnSize = growth.FfnSize, Steps = 0, Noise = 0 }
            .Apply(state, new LigoContext(model));
        Near.Equal(scores, ForwardPass.Logits(grown.Model, input, ForwardPlan.Plain(model.Layers)), 5e-5);
    });

    /// <summary>No layer's parts are more than one together, old units stay as they are, and copies no longer learn alike.</summary>
    [Fact]
    public void NoiseIsSmallAndLeavesOldUnitsAlone()
    {
        Gpt2Config model = GrowthSample.Gpt2(2);
        using TrainingState state = GrowthSample.State(model);
        var growth = new Ligo { LayerCount = 4, HiddenSize = 32, FfnSize = 64, Noise = 0.1 };
        using LigoMap map = growth.Start(state.Model), other = (growth with { Seed = 1 }).Start(state.Model);
        double[] layers = Near.Values(map.Matrices["layers attn.c_attn.weight"].Value);
        Assert.All(layers.Chunk(2), row => Assert.Equal(1, row.Sum(), 6));
        Assert.All(layers, share => Assert.True(share is > 0 and < 0.1 or > 0.9));
        double[][] hidden = [.. Near.Values(map.Matrices["Hidden"].Value).Chunk(16)];
        for (int unit = 0; unit < 32; unit++)
        {
            double off = hidden[unit].Select((value, old) => Math.Pow(value - (old == unit % 16 ? 1 : 0), 2)).Sum();
            Assert.InRange(Math.Sqrt(off), unit < 16 ? 0 : 0.04, unit < 16 ? 0 : 0.2);
        }

        Assert.NotEqual(Near.Values(map.Matrices["Heads 0"].Value), Near.Values(map.Matrices["Heads 1"].Value));
        Assert.NotEqual(Near.Values(map.Matrices["Hidden"].Value), Near.Values(other.Matrices["Hidden"].Value));
        Assert.DoesNotContain(map.Matrices.Keys, name => name.StartsWith("Ffn", StringComparison.Ordinal));
    }

    public static TheoryData<bool, Ligo> Learned
    {
        get
        {
            var cases = new TheoryData<bool, Ligo>();
            foreach (bool isBert in new[] { false, true })
            {
                cases.Add(isBert, new Ligo { LayerCount = 4 });
                cases.Add(isBert, new Ligo { HiddenSize = 32, FfnSize = 128 });
                cases.Add(isBert, new Ligo { LayerCount = 4, HiddenSize = 24, FfnSize = 80, Depth = LayerMapKind.Interpolate });
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Learned))]
    public void LearningLowersTheLossOnBatchesThatItHasNotMet(bool isBert, Ligo growth)
    {
        ModelConfig model = isBert ? GrowthSample.Bert(2) : GrowthSample.Gpt2(2);
        var context = new LigoContext(model);
        using TrainingState state = context.Trained(40);
        double before = context.HeldOutLoss(state.Model);
        using TrainingState start = (growth with { Steps = 0 }).Apply(state.Copy(), context);
        using TrainingState grown = (growth with { Steps = 40 }).Apply(state.Copy(), context);
        double atStart = context.HeldOutLoss(start.Model), learned = context.HeldOutLoss(grown.Model);
        Assert.InRange(before, 0.5, 3.3);
        Assert.True(learned < atStart, $"{learned} is not below {atStart}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TwoGrowthsGiveTheSameBytes(bool isBert)
    {
        ModelConfig model = isBert ? GrowthSample.Bert(2) : GrowthSample.Gpt2(2);
        var growth = new Ligo { LayerCount = 3, HiddenSize = 24, FfnSize = 70, Steps = 3 };
        using TrainingState state = GrowthSample.State(model);
        using TrainingState first = growth.Apply(state.Copy(), new LigoContext(model));
        using TrainingState second = growth.Apply(state.Copy(), new LigoContext(model));
        Assert.All(first.Model.Parameters.Zip(second.Model.Parameters), pair => Near.Identical(
            pair.First.Value, pair.Second.Value, pair.First.Name));
        Assert.All(second.Model.Parameters, parameter => Assert.True(parameter.Value.RequiresGrad));
        Assert.Same(GrowthSample.Position, second.Position);
    }

    [Fact]
    public void TheOptimizerForgetsAndAllThatIsMixedIsNew()
    {
        Gpt2Config model = GrowthSample.Gpt2(2);
        using TrainingState state = GrowthSample.State(model);
        using TrainingState grown = new Ligo { LayerCount = 3, Steps = 1 }.Apply(state.Copy(), new LigoContext(model));
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            ParameterState own = grown.Optimizer[parameter.Name];
            Assert.Equal(0, own.Steps);
            Assert.Equal([AdamW.ExpAvg, AdamW.ExpAvgSq], own.Slots.Keys.Order());
            Assert.All(own.Slots.Values, slot => Assert.All(Near.Values(slot.Value), value => Assert.Equal(0, value)));
            Assert.Equal(parameter.Spec.Layer is null ? null : NewUnits.All, own.New);
            if (parameter.Spec.Layer is null)
            {
                Near.Identical(state.Model.Parameters[parameter.Spec.Role], parameter.Value, parameter.Name);
            }
        }
    }

    /// <summary>C, F, heads and layers all grow; T is 12, and 3 sequences make a batch.</summary>
    [Fact]
    public void WhatItCostsIsCharged()
    {
        const double C = 16, F = 64, V = 31, T = 12, Tokens = 36, Layers = 2;
        const double NewC = 24, NewF = 80, NewLayers = 5, Steps = 3;
        Gpt2Config model = GrowthSample.Gpt2((int)Layers);
        var context = new LigoContext(model);
        new Ligo { LayerCount = (int)NewLayers, HiddenSize = (int)NewC, FfnSize = (int)NewF, Steps = (int)Steps }
            .Apply(GrowthSample.State(model), context).Dispose();

        // The grown model, each product three times.
        double layers = 3 * 2 * ((4 * NewC * NewC) + (2 * NewC * NewF)) * Tokens * NewLayers;
        double attention = 3 * 4 * NewC * T * Tokens * NewLayers;
        double head = 3 * 2 * NewC * V * Tokens;

        // w times all old layers: 4 C^2 + 2 C F weights, norms and output biases 6 C, joint biases 3 C and F.
        double mixing = 2 * Layers * ((4 * C * C) + (2 * C * F) + (9 * C) + F) * NewLayers;

        // B and A: first the rows as they lie, then the columns of what is made of them.
        double units = 2 * NewLayers * (
            (NewC * 3 * C * C) + (NewC * 3 * NewC * C) // c_attn
            + (NewC * C * C) + (NewC * NewC * C) // c_proj of attention
            + (NewC * C * F) + (NewF * NewC * F) // c_fc
            + (NewF * F * C) + (NewC * NewF * C) // c_proj
            + (NewC * 9 * C) + (NewF * F)); // norms and biases
        double rest = 2 * NewC * C * (V + T + 2);

        // Backward: w's gradient alone, then that of a map and that of what it is multiplied with.
        FlopsCount once = new(mixing + units, 0, rest);
        FlopsCount backward = new(mixing + (2 * units), 0, rest);
        Assert.Equal((new FlopsCount(layers, attention, head) + once + backward) * Steps + once, context.Charged);
    }

    /// <summary>Only layers grow: embeddings and head stand still, and nothing is paid for their gradients.</summary>
    [Fact]
    public void WhatDoesNotGrowCostsNoGradients()
    {
        BertConfig model = GrowthSample.Bert(2);
        var context = new LigoContext(model);
        new Ligo { LayerCount = 4, Steps = 2 }.Apply(GrowthSample.State(model), context).Dispose();
        ForwardPlan plan = ForwardPlan.Plain(4) with { TrainsRest = false };
        FlopsCount step = Ledger.ForwardAndBackward(model with { Layers = 4 }, plan, LigoContext.Sequences, 12, 36);
        double mixing = 2.0 * 2 * ((4 * 16 * 16) + (2 * 16 * 64) + (9 * 16) + 64) * 4;
        Assert.Equal((step * 2) + new FlopsCount(mixing * 5, 0, 0), context.Charged);
    }

    public static TheoryData<Ligo, string> Refused => new()
    {
        { new Ligo { LayerCount = 1 }, "`layers` 1 is less than the model's 2." },
        { new Ligo { HiddenSize = 8 }, "`hidden_size` 8 is less than the model's 16." },
        { new Ligo { HiddenSize = 20 }, "`hidden_size` 20 is not a multiple of the size of a head, 8." },
        { new Ligo { HiddenSize = 32, Heads = 3 }, "`heads` 3 do not divide `hidden_size` 32; heads keep their size, 8." },
        { new Ligo { FfnSize = 63 }, "`ffn_size` 63 is less than the model's 64." },
        { new Ligo { LayerCount = 4, Steps = -1 }, "`steps` -1 is less than 0." },
        { new Ligo { LayerCount = 4, LearningRate = 0 }, "`learning_rate` 0 is no number above 0." },
        { new Ligo { LayerCount = 4, Noise = double.NaN }, "`noise` NaN is no number from 0 on." },
        {
            new Ligo { LayerCount = 4, Moments = MomentPolicy.Map },
            "`moments` map: what is remembered of old weights says nothing of a learned mix of them."
        },
        { new Ligo { LayerCount = 4, LearningRate = 1e30, Steps = 5 }, "The map of ligo diverged in its update 2." },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void RefusesByTheKeyAndLeavesTheStateWhole(Ligo growth, string message)
    {
        Gpt2Config model = GrowthSample.Gpt2(2);
        using TrainingState state = GrowthSample.State(model);
        var exception = Assert.Throws<UserErrorException>(() => growth.Apply(state, new LigoContext(model)));
        Assert.Equal(message, exception.Message);
        Assert.NotNull(exception.Hint);
        Assert.All(state.Model.Parameters, parameter => Assert.NotEmpty(Near.Bytes(parameter.Value)));
    }

    [Fact]
    public void WithoutTextItNamesTheRemedy()
    {
        var growth = new Ligo { LayerCount = 4 };
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(2));
        var exception = Assert.Throws<UserErrorException>(
            () => growth.Apply(state, new TextGrowthContext(growth, null, Compute.Cpu)));
        Assert.Contains("--data", exception.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void SaysWhatItIs()
    {
        Assert.Equal(
            "ligo layers 4, depth stack, steps 100, learning_rate 0.0003, noise 0.03, seed 0, moments reset",
            new Ligo { LayerCount = 4 }.ToString());
        Assert.Equal(
            "ligo hidden_size 32, heads 4, ffn_size 90, depth interpolate, steps 7, learning_rate 0.5, noise 0, seed 9, moments reset",
            new Ligo
            {
                HiddenSize = 32, Heads = 4, FfnSize = 90, Depth = LayerMapKind.Interpolate, Steps = 7, LearningRate = 0.5, Noise = 0,
                Seed = 9,
            }.ToString());
    }

    [Fact]
    public void WhatIsNotGivenStays()
    {
        ModelConfig model = GrowthSample.Gpt2(2);
        Assert.Equal(model, new Ligo().Grow(model));
        using TrainingState state = GrowthSample.State(model);
        using TrainingState grown = new Ligo().Apply(state.Copy(), new LigoContext(model));
        Assert.All(grown.Model.Parameters.Zip(state.Model.Parameters), pair => Near.Identical(
            pair.First.Value, pair.Second.Value, pair.First.Name));
    }

    private static void ForAll(int tests, Action<ModelConfig, Ligo> holds) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(tests),
        Prop.ForAll(Growths.ToArbitrary(), growth => holds(growth.Model, growth.Operator)));
}
