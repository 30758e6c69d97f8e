using Espalier.Growth;
using Espalier.Models;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>Models of all shapes, and width operators that grow them.</summary>
internal static class WidthSample
{
    /// <summary>Operators that keep the scores: whole rounds of hidden units, and of the others as each of them can.</summary>
    public static Gen<(ModelConfig Model, WidthOperator Operator)> Exact { get; } =
        from model in GrowthSample.All
        from hidden in Gen.Choose(1, 3)
        from ffn in Gen.Choose(1, 3)
        from more in Gen.Choose(0, 9)
        from seed in Gen.Choose(0, 1000)
        from kind in Gen.Choose(0, 4)
        select (model, kind switch
        {
            0 => new HyperCloning
            {
                HiddenSize = hidden * model.HiddenSize, FfnSize = ffn * model.FfnWidth, Noise = more < 5 ? null : more, Seed = (ulong)seed,
            },
            1 => new Net2Net { HiddenSize = hidden * model.HiddenSize, FfnSize = model.FfnWidth + more },
            2 => new Net2Net { FfnSize = model.FfnWidth + more, Sources = UnitSources.Random, Seed = (ulong)seed },
            3 => new Lemon { HiddenSize = hidden * model.HiddenSize, FfnSize = model.FfnWidth + more, Seed = (ulong)seed },
            _ => (WidthOperator)new Sparkling { HiddenSize = hidden * model.HiddenSize, FfnSize = ffn * model.FfnWidth },
        });

    /// <summary>
    /// Those whose gradients are what the moments are promised: LEMON's hidden units have unequal shares, and noise lets copies
    /// pass back other gradients than their sources.
    /// </summary>
    public static Gen<(ModelConfig Model, WidthOperator Operator)> ExactInGradients { get; } =
        Exact.Select(growth => (growth.Model, growth.Operator switch
        {
            Lemon lemon => lemon with { HiddenSize = null },
            HyperCloning cloning => cloning with { Noise = null },
            _ => growth.Operator,
        }));

    /// <summary>Operators that copy units to any width that heads of their size allow.</summary>
    public static Gen<(ModelConfig Model, WidthOperator Operator)> Any { get; } =
        from model in GrowthSample.Models
        from heads in Gen.Choose(0, 4)
        from more in Gen.Choose(0, 9)
        from kind in Gen.Choose(0, 4)
        let hidden = (model.Heads + heads) * model.HeadSize
        let ffn = model.FfnWidth + more
        select (model, kind switch
        {
            0 => new Net2Net { HiddenSize = hidden, FfnSize = ffn, Heads = model.Heads + heads },
            1 => new Net2Net { HiddenSize = hidden, FfnSize = ffn, Sources = UnitSources.Random, Seed = (ulong)more },
            2 => new Lemon { HiddenSize = hidden, FfnSize = ffn, Seed = (ulong)more },
            3 => new Aki { HiddenSize = hidden, FfnSize = ffn },
            _ => (WidthOperator)new Sparkling { HiddenSize = hidden, FfnSize = ffn },
        });

    /// <summary>For growth with fresh weights, which follow from the run's seed.</summary>
    public static IGrowthContext Context { get; } = new Seeded();

    public static void ForAll(
        Gen<(ModelConfig Model, WidthOperator Operator)> growths, int tests, Action<ModelConfig, WidthOperator> holds) => Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(tests),
            Prop.ForAll(growths.ToArbitrary(), growth => holds(growth.Model, growth.Operator)));

    private sealed class Seeded : IGrowthContext
    {
        public Compute Compute => Compute.Cpu;

        public ulong Seed => 77;

        public ModelBatch Batch(int index) => throw new NotSupportedException();

        public IReadOnlyList<double> Train(TrainingState trial, int steps) => throw new NotSupportedException();

        public void Charge(FlopsCount flops) => throw new NotSupportedException();
    }
}
