using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>Every operator that has a name, over random shapes of both architectures: it makes a whole state, and keeps its promise.</summary>
[Trait("Kind", "Slow")]
public class OperatorPromiseTests
{
    private static readonly Gen<(ModelConfig Model, ModelConfig To, GrowthSettings Settings)> Growths =
        from model in GrowthSample.All
        from layers in Gen.Choose(0, model.Layers)
        from times in Gen.Choose(1, 2)
        from heads in Gen.Choose(0, 1)
        from ffn in Gen.Elements(model.FfnWidth, 2 * model.FfnWidth, model.FfnWidth + Math.Min(3, model.FfnWidth))
        from seed in Gen.Choose(0, 1000)
        let groups = (times * model.HeadGroups) + (times == 1 ? heads : 0)
        select (
            model,
            model.WithWidth(model.HiddenSize / model.HeadGroups * groups, model.Heads / model.HeadGroups * groups, ffn) with
            {
                Layers = model.Layers + layers,
            },
            new GrowthSettings { Seed = (ulong)seed, Noise = 10 + (seed % 20) });

    public static TheoryData<string> Names => [.. GrowthOperators.All.Select(entry => entry.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void AnOperatorMakesAWholeStateAndKeepsItsPromise(string name)
    {
        OperatorEntry entry = GrowthOperators.Of(name);
        HashSet<(string, Kept)> met = [];
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Growths.Where(growth => IsFor(entry, growth.Model)).ToArbitrary(), growth =>
        {
            ModelConfig to = Within(entry, growth.Model, growth.To);
            GrowthOperator grows = Quickly(entry.Reach(growth.Model, to, new GrowthSettings
            {
                Seed = entry.Takes.Contains("--seed") ? growth.Settings.Seed : null,
                Noise = entry.Takes.Contains("--noise") ? growth.Settings.Noise : null,
            }));
            met.Add((growth.Model.ModelType, grows.Promise(growth.Model).Loss));
            Holds(growth.Model, grows);
        }));

        // What the list says of a doubling has been met, so that nothing was held to less alone.
        Assert.All(
            new ModelConfig[]
            {
                GrowthSample.Gpt2(2), GrowthSample.Bert(2), new LlamaConfig { Layers = 2, HiddenSize = 16, Heads = 2, ContextLength = 16, VocabularySize = 8 },
                new Qwen3Config { Layers = 2, HiddenSize = 16, Heads = 2, HeadDim = 8, ContextLength = 16, VocabularySize = 8 },
            },
            model => Assert.Contains((model.ModelType, entry.Keeps(model)), met));
    }

    /// <summary>A learned map has no way to query heads that share keys and values, and says so.</summary>
    private static bool IsFor(OperatorEntry entry, ModelConfig model) => entry.Name != "ligo" || model.HeadGroups == model.Heads;

    /// <summary>A learned map learns for a moment only.</summary>
    private static GrowthOperator Quickly(GrowthOperator growth) => growth is Ligo ligo ? ligo with { Steps = 2 } : growth;

    /// <summary>Where norms take no mean, hidden units and heads are added without a change too.</summary>
    [Fact]
    public void ComposableWidensWhatTakesNoMean() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(
        GrowthSample.Rotary.ToArbitrary(), model =>
        {
            var growth = new Composable { HiddenSize = 2 * model.HiddenSize, FfnSize = model.FfnWidth + 3, Count = model.Layers + 1 };
            ModelConfig grown = growth.Grow(model);
            Assert.Equal((2 * model.HiddenSize, 2 * model.Heads, model.FfnWidth + 3), (grown.HiddenSize, grown.Heads, grown.FfnWidth));
            Assert.Equal(model is LlamaConfig ? Kept.Exactly : Kept.Approximately, growth.Promise(model).Loss);
            Holds(model, growth);

            // A Qwen3's norms of queries and keys notice the epsilon, which is small.
            TrainingState state = GrowthSample.State(model);
            ModelInput input = GrowthSample.Batch(model).Input;
            Tensor scores = ForwardPass.Logits(state.Model, input, ForwardPlan.Plain(model.Layers));
            using TrainingState wider = growth.Apply(state, WidthSample.Context);
            Near.Equal(scores, ForwardPass.Logits(wider.Model, input, ForwardPlan.Plain(grown.Layers)), 1e-3, growth.ToString());
        }));

    /// <summary>The sizes that an operator grows, and of those what it can reach.</summary>
    private static ModelConfig Within(OperatorEntry entry, ModelConfig model, ModelConfig to)
    {
        bool isWide = entry.Grows.HasFlag(GrownSizes.Width);
        ModelConfig within = model.WithWidth(
            isWide ? to.HiddenSize : model.HiddenSize,
            isWide ? to.Heads : model.Heads,
            isWide || entry.Grows.HasFlag(GrownSizes.FeedForward) ? to.FfnWidth : model.FfnSize) with
        {
            Layers = entry.Grows.HasFlag(GrownSizes.Depth) ? to.Layers : model.Layers,
        };
        try
        {
            entry.Reach(model, within);
            return within;
        }
        catch (UserErrorException)
        {
            return entry.Doubled(model);
        }
    }

    private static void Holds(ModelConfig model, GrowthOperator growth)
    {
        // A map that is learned is learned in single precision.
        TrainingState state = growth is Ligo ? GrowthSample.State(model) : GrowthSample.ExactState(model);
        ModelBatch batch = GrowthSample.Batch(model);
        Tensor scores = ForwardPass.Logits(state.Model, batch.Input, ForwardPlan.Plain(model.Layers));
        using TrainingState grown = growth.Apply(state, growth is Ligo ? new LigoContext(model) : WidthSample.Context);
        ModelConfig config = grown.Model.Config;
        Assert.Equal(growth.Grow(model), config);
        Assert.Same(GrowthSample.Position, grown.Position);
        Assert.Equal(
            grown.Model.Architecture.Parameters(config).Select(spec => (spec.Name, Shape: string.Join(',', spec.Shape))),
            grown.Model.Parameters.Select(p => (p.Name, Shape: string.Join(',', p.Value.Shape))));
        Assert.All(grown.Model.Parameters, parameter =>
        {
            Assert.True(parameter.Value.RequiresGrad, parameter.Name);
            Assert.All(grown.Optimizer[parameter.Name].Slots.Values, slot => Assert.Equal(parameter.Value.Shape, slot.Value.Shape));
        });

        Tensor after = ForwardPass.Logits(grown.Model, batch.Input, ForwardPlan.Plain(config.Layers));
        Assert.All(Near.Values(after), value => Assert.True(double.IsFinite(value)));
        if (growth.Promise(model).Loss == Kept.Exactly)
        {
            Near.Equal(scores, after, 1e-9, growth.ToString());
        }
    }
}
