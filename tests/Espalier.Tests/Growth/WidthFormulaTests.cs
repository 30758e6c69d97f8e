using Espalier.Growth;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests.Growth;

/// <summary>Width operators against their papers' formulas, written out for named matrices.</summary>
public class WidthFormulaTests
{
    private const string Ffn = "transformer.h.0.mlp.c_fc", Projection = "transformer.h.0.mlp.c_proj.weight";

    private static readonly Gpt2Config Model = GrowthSample.Gpt2(1) with { FfnSize = 10 };

    /// <summary>tile(W, r0, r1) / r1, for each matrix of a layer; r0 and r1 differ.</summary>
    [Theory]
    [InlineData("attention.self.value", 3, 3)]
    [InlineData("attention.output.dense", 3, 3)]
    [InlineData("intermediate.dense", 2, 3)]
    [InlineData("output.dense", 3, 2)]
    public void HyperCloningTilesAndDivides(string role, int rows, int columns)
    {
        BertConfig model = GrowthSample.Bert(2);
        using TrainingState state = GrowthSample.State(model);
        using TrainingState grown = new HyperCloning { HiddenSize = 48, FfnSize = 128 }.Apply(state.Copy(), GrowthSample.NoContext);
        Tensor weight = state.Model.Parameters[1, role + ".weight"], wide = grown.Model.Parameters[1, role + ".weight"];
        double[][] old = Rows(weight), tiled = Rows(wide);
        Assert.Equal((old.Length * rows, old[0].Length * columns), (tiled.Length, tiled[0].Length));
        for (int i = 0; i < tiled.Length; i++)
        {
            Near.Equal(
                [.. tiled[i].Select((_, j) => old[i % old.Length][j % old[0].Length] / columns)], tiled[i], 1e-6, role);
        }

        double[] bias = Near.Values(state.Model.Parameters[1, role + ".bias"]);
        Assert.Equal(
            Enumerable.Repeat(bias, rows).SelectMany(value => value), Near.Values(grown.Model.Parameters[1, role + ".bias"]));
    }

    /// <summary>
    /// Blocks of columns in pairs W + N, W - N; a third has none. Every row of blocks has noise of its own, at the stated ratio;
    /// vectors, embeddings and head have none.
    /// </summary>
    [Theory]
    [InlineData("transformer.h.1.attn.c_attn.weight", 3, 20)]
    [InlineData("transformer.h.1.attn.c_proj.weight", 3, 10)]
    [InlineData("transformer.h.0.mlp.c_fc.weight", 3, 20)]
    [InlineData("transformer.h.0.mlp.c_proj.weight", 2, 5)]
    public void HyperCloningsNoiseCancelsInPairs(string name, int copies, double decibels)
    {
        using TrainingState state = GrowthSample.State(GrowthSample.Gpt2(2));
        var growth = new HyperCloning { HiddenSize = 48, FfnSize = 128 };
        using TrainingState plain = growth.Apply(state.Copy(), GrowthSample.NoContext);
        double[][] clean = Rows(Of(plain, name)), noise = Noise(1), other = Noise(2);
        int block = clean.Length / copies;
        for (int i = 0; i < block; i++)
        {
            Near.Equal(noise[i], [.. noise[i + block].Select(value => -value)], 1e-5, name, floor: 0.1);
            Assert.All(noise.Skip(2 * block).SelectMany(row => row), value => Assert.Equal(0, value));
        }

        Assert.NotEqual(noise[0], other[0]);
        Assert.NotEqual(noise[0][..16], noise[0][16..32]);
        double signal = clean.SelectMany(row => row).Average(value => value * value);
        double power = noise.Take(2 * block).SelectMany(row => row).Average(value => value * value);
        Assert.Equal(decibels, 10 * Math.Log10(signal / power), 0.01);

        double[][] Noise(ulong seed)
        {
            using TrainingState noisy = (growth with { Noise = decibels, Seed = seed }).Apply(state.Copy(), GrowthSample.NoContext);
            Assert.All(
                noisy.Model.Parameters.Where(p => p.Spec.Layer is null || p.Spec.Axes.Count == 1),
                p => Near.Identical(Of(plain, p.Name), p.Value, p.Name));
            return [.. Rows(Of(noisy, name)).Zip(clean, (a, b) => a.Zip(b, (x, y) => x - y).ToArray())];
        }
    }

    /// <summary>A tied head's norm is divided and the embedding is not; a head of its own is divided and the norm is not.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheScoresAreSharedInTheNormOrInTheHead(bool tied)
    {
        using TrainingState state = GrowthSample.State(Model with { TiedHead = tied });
        using TrainingState grown = new HyperCloning { HiddenSize = 32 }.Apply(state.Copy(), GrowthSample.NoContext);
        Assert.Equal(1, Ratio("transformer.wte.weight"), 1e-6);
        Assert.Equal(tied ? 0.5 : 1, Ratio("transformer.ln_f.weight"), 1e-6);
        Assert.Equal(tied ? 0.5 : 1, Ratio("transformer.ln_f.bias"), 1e-6);
        if (!tied)
        {
            Assert.Equal(0.5, Ratio("lm_head.weight"), 1e-6);
        }

        double Ratio(string role) =>
            Near.Values(grown.Model.Parameters[role])[0] / Near.Values(state.Model.Parameters[role])[0];
    }

    /// <summary>
    /// f(j) is read off the biases, which are all different: f(j) = j for what was there, and row j of what reads the units is
    /// row f(j) over the number of its copies.
    /// </summary>
    [Theory]
    [InlineData(UnitSources.Cyclic, 0)]
    [InlineData(UnitSources.Random, 3)]
    [InlineData(UnitSources.Random, 4)]
    public void Net2NetDividesByTheNumberOfCopies(UnitSources kind, ulong seed)
    {
        using TrainingState state = GrowthSample.State(Model);
        using TrainingState grown = new Net2Net { FfnSize = 27, Sources = kind, Seed = seed }
            .Apply(state.Copy(), GrowthSample.NoContext);
        int[] sources = Sources(state, grown);
        Assert.Equal(Enumerable.Range(0, 10), sources[..10]);
        if (kind == UnitSources.Cyclic)
        {
            Assert.Equal(Enumerable.Range(0, 17).Select(unit => unit % 10), sources[10..]);
        }
        else
        {
            Assert.NotEqual(Enumerable.Range(0, 17).Select(unit => unit % 10), sources[10..]);
        }

        double[][] before = Rows(Of(state, Projection)), after = Rows(Of(grown, Projection));
        for (int unit = 0; unit < 27; unit++)
        {
            int copies = sources.Count(source => source == sources[unit]);
            Near.Equal([.. before[sources[unit]].Select(value => value / copies)], after[unit], 1e-6);
        }
    }

    /// <summary>
    /// U = [W of this layer, W of the one above], each divided by the copies of what it reads; norms and what lies outside of the
    /// layers as in FPI, and so the highest layer.
    /// </summary>
    [Fact]
    public void AkiComputesCopiesByTheLayerAbove()
    {
        BertConfig model = GrowthSample.Bert(2) with { FfnSize = 10 };
        using TrainingState state = GrowthSample.State(model);
        using TrainingState grown = new Aki { HiddenSize = 24, FfnSize = 17 }.Apply(state.Copy(), GrowthSample.NoContext);
        using TrainingState fpi = new Net2Net { HiddenSize = 24, FfnSize = 17 }.Apply(state.Copy(), GrowthSample.NoContext);
        Assert.Equal(Kept.Not, new Aki { HiddenSize = 24 }.Promise(model).Loss);
        foreach (Parameter parameter in grown.Model.Parameters)
        {
            string name = parameter.Name;
            if (parameter.Spec.Layer is not 0 || name.Contains("LayerNorm", StringComparison.Ordinal))
            {
                Near.Identical(Of(fpi, name), parameter.Value, name);
                continue;
            }

            double[][] own = Rows(Of(fpi, name)), above = Rows(Of(fpi, name.Replace("layer.0", "layer.1", StringComparison.Ordinal)));
            bool isMatrix = parameter.Value.Shape.Length > 1;
            int old = (isMatrix ? own.Length : own[0].Length) == 17 ? 10 : 16;
            Assert.Equal(
                isMatrix ? [.. own[..old], .. above[old..]] : [[.. own[0][..old], .. above[0][old..]]], Rows(parameter.Value));
        }
    }

    [Fact]
    public void RandomSourcesFollowFromTheSeed()
    {
        int[] Drawn(ulong seed)
        {
            using TrainingState state = GrowthSample.State(Model);
            using TrainingState grown = new Net2Net { FfnSize = 27, Sources = UnitSources.Random, Seed = seed }
                .Apply(state.Copy(), GrowthSample.NoContext);
            return Sources(state, grown);
        }

        Assert.Equal(Drawn(1), Drawn(1));
        Assert.NotEqual(Drawn(1), Drawn(2));
    }

    /// <summary>Unequal parts of the source, all of a size, that add up to it; another seed deals out otherwise.</summary>
    [Fact]
    public void LemonSharesUnequally()
    {
        double[] first = Shares(1), again = Shares(1), other = Shares(2);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
        for (int unit = 0; unit < 10; unit++)
        {
            double[] copies = [.. first.Where((_, i) => i % 10 == unit)];
            Assert.Equal(1, copies.Sum(), 1e-5);
            Assert.Equal(copies.Length, copies.Distinct().Count());
            Assert.All(copies, share => Assert.InRange(share, 0.1, 0.8));
        }

        double[] Shares(ulong seed)
        {
            using TrainingState state = GrowthSample.State(Model);
            using TrainingState grown = new Lemon { FfnSize = 27, Seed = seed }.Apply(state.Copy(), GrowthSample.NoContext);
            double[][] before = Rows(Of(state, Projection)), after = Rows(Of(grown, Projection));
            double[] shares = [.. after.Select((row, unit) => row[0] / before[unit % 10][0])];
            for (int unit = 0; unit < 27; unit++)
            {
                Near.Equal([.. before[unit % 10].Select(value => value * shares[unit])], after[unit], 1e-5);
            }

            return shares;
        }
    }

    /// <summary>1 / sqrt(1 + 3 c) to twice the units, 1 / (1 + c) beyond.</summary>
    [Theory]
    [InlineData(15, 0.6324555320)]
    [InlineData(20, 0.5)]
    [InlineData(25, 0.4)]
    [InlineData(30, 0.3333333333)]
    public void SparklingDividesAllThatReads(int size, double share)
    {
        using TrainingState state = GrowthSample.State(Model);
        using TrainingState grown = new Sparkling { FfnSize = size }.Apply(state.Copy(), GrowthSample.NoContext);
        Assert.Equal(Enumerable.Range(0, size).Select(unit => unit % 10), Sources(state, grown));
        double[][] before = Rows(Of(state, Projection)), after = Rows(Of(grown, Projection));
        for (int unit = 0; unit < size; unit++)
        {
            Near.Equal([.. before[unit % 10].Select(value => value * share)], after[unit], 1e-6);
        }

        Assert.Equal(size % 10 == 0 ? Kept.Exactly : Kept.Not, new Sparkling { FfnSize = size }.Promise(Model).Loss);
    }

    /// <summary>0.4 times the padded weight and the whole of a fresh one; vectors stay where they are old.</summary>
    [Fact]
    public void ZeroPaddingLiesUponAFreshModel()
    {
        using TrainingState state = GrowthSample.State(Model);
        using TrainingState grown = new ZeroPadWidth { HiddenSize = 24, FfnSize = 17 }.Apply(state.Copy(), WidthSample.Context);
        using ParameterSet fresh = Fresh(grown);
        foreach (Parameter parameter in grown.Model.Parameters.Where(p => !p.Name.Contains("c_attn", StringComparison.Ordinal)))
        {
            double[][] old = Rows(Of(state, parameter.Name)), now = Rows(parameter.Value);
            double[][] initial = Rows(fresh.Single(p => p.Name == parameter.Name).Value);
            bool isMatrix = parameter.Value.Shape.Length > 1;
            for (int i = 0; i < now.Length; i++)
            {
                Near.Equal(
                    [
                        .. now[i].Select((_, j) => i >= old.Length || j >= old[0].Length ? initial[i][j]
                            : isMatrix ? (0.4 * old[i][j]) + initial[i][j] : old[i][j]),
                    ],
                    now[i], 1e-6, parameter.Name);
            }
        }
    }

    [Fact]
    public void AddedUnitsAreFreshAndReadByZeros()
    {
        using TrainingState state = GrowthSample.State(Model);
        using TrainingState grown = new Composable { FfnSize = 17 }.Apply(state.Copy(), WidthSample.Context);
        using ParameterSet fresh = Fresh(grown);
        double[][] old = Rows(Of(state, Ffn + ".weight")), now = Rows(Of(grown, Ffn + ".weight"));
        double[][] initial = Rows(fresh.Single(p => p.Name == Ffn + ".weight").Value);
        for (int i = 0; i < now.Length; i++)
        {
            Assert.Equal([.. old[i], .. initial[i][10..]], now[i]);
        }

        double[][] reads = Rows(Of(grown, Projection));
        Assert.Equal(Rows(Of(state, Projection)), reads[..10]);
        Assert.All(reads[10..].SelectMany(row => row), value => Assert.Equal(0, value));
        Assert.Equal([.. Near.Values(Of(state, Ffn + ".bias")), .. new double[7]], Near.Values(Of(grown, Ffn + ".bias")));
    }

    private static ParameterSet Fresh(TrainingState grown) => ParameterSet.Initialize(
        grown.Model.Architecture.Parameters(grown.Model.Config), grown.Model.Config, grown.Model.Config.Layers,
        WidthSample.Context.Seed, Device.Cpu);

    private static int[] Sources(TrainingState state, TrainingState grown)
    {
        double[] before = Near.Values(Of(state, Ffn + ".bias"));
        return [.. Near.Values(Of(grown, Ffn + ".bias")).Select(value => Array.IndexOf(before, value))];
    }

    private static Tensor Of(TrainingState state, string name) => state.Model.Parameters.Single(p => p.Name == name).Value;

    private static double[][] Rows(Tensor tensor) => [.. Near.Values(tensor).Chunk((int)tensor.Shape[^1])];
}
