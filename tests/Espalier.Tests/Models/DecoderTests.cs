using Espalier.Models;
using Espalier.Tests.Growth;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Models;

/// <summary>Reading in pieces against reading at once, by <see cref="ForwardPass.Logits"/>.</summary>
public class DecoderTests
{
    private static readonly Gen<ModelConfig> Causal = GrowthSample.All.Where(config => config is not BertConfig);

    /// <summary>Apart from rounding, but that scores come as single-precision numbers.</summary>
    [Fact]
    public void PiecesAreScoredAsTheWhole() => Check(Compute.Cpu, config => GrowthSample.ExactState(config).Model, 1e-6);

    /// <summary>
    /// Sums are rounded in other orders. Norms over a few units may make that as large as the scores: such cases tell nothing of pieces
    /// and are left out, by what rounding does to the whole.
    /// </summary>
    [Theory]
    [InlineData(false, 4e-6, 2e-5)]
    [InlineData(true, 0.02, 0.1)]
    public void PiecesAreScoredAsTheWholeByKernels(bool bf16, double mostOfRounding, double tolerance)
    {
        int told = Check(new Compute(Device.Cpu, bf16), config => GrowthSample.State(config).Model, tolerance, mostOfRounding);
        Assert.InRange(told, 100, int.MaxValue);
    }

    [Fact]
    public void WhatIsForgottenLeavesNoTrace()
    {
        using Model model = Sample.ModelOf(GrowthSample.Llama(2));
        using var decoder = new Decoder(model, ForwardPlan.Plain(2), Compute.Cpu);
        float[] first = decoder.Next(Ids(1, 7, 31));
        decoder.Next(Ids(2, 3, 31));
        Assert.Equal(10, decoder.Length);
        decoder.Forget();
        Assert.Equal(first, decoder.Next(Ids(1, 7, 31)));
    }

    /// <summary>Tokens of a BERT see those that follow; which ones a subset takes depends on how many there are.</summary>
    [Fact]
    public void WhatDependsOnLaterTokensIsNotKept()
    {
        var subset = new ForwardPlan([new LayerRun(0), new LayerRun(1, Tokens: new TokenSubset(4, 1))]);
        foreach ((ModelConfig config, ForwardPlan plan) in
            (ReadOnlySpan<(ModelConfig, ForwardPlan)>)[(Sample.Bert(2), ForwardPlan.Plain(2)), (GrowthSample.Llama(2), subset)])
        {
            using Model model = Sample.ModelOf(config);
            using var decoder = new Decoder(model, plan, Compute.Cpu);
            decoder.Next(Ids(1, 5, 31));
            Assert.False(decoder.Remembers);
            Assert.Equal(0, decoder.Length);
            long[,] whole = Ids(1, 9, 31);
            Near.Equal(Last(model, plan, whole), Wide(decoder.Next(whole)), 1e-5);
        }
    }

    /// <summary>Models of all shapes, layers that run several times, scaled and masked; sequences side by side; pieces of any length.</summary>
    /// <returns>How many pieces were held against the whole.</returns>
    private static int Check(
        Compute compute, Func<ModelConfig, Model> modelOf, double tolerance, double mostOfRounding = double.PositiveInfinity)
    {
        int told = 0;
        var cases =
            from config in Causal
            from runs in Gen.ListOf(
                from stored in Gen.Choose(0, config.Layers - 1)
                from scale in Gen.Elements(1.0, 0.5)
                from masked in Gen.Elements(false, true)
                select new LayerRun(stored, Scale: scale, Mask: masked ? new WidthMask(Ffn: new UnitMask(1, 0.5)) : null))
            from sequences in Gen.Choose(1, 3)
            from pieces in Gen.ListOf(Gen.Choose(1, 3))
            from seed in Gen.Choose(1, 1000)
            select (config, plan: new ForwardPlan([.. runs]), sequences, pieces, seed);
        Prop.ForAll(cases.ToArbitrary(), one =>
        {
            using var scope = new TensorScope();
            using NoGrad noGrad = new();
            Model model = modelOf(one.config), exact = GrowthSample.ExactState(one.config).Model;
            using var decoder = new Decoder(model, one.plan, compute);
            long[,] all = Ids(one.seed, one.sequences, one.config.ContextLength, one.config.Vocabulary);
            foreach (int piece in one.pieces.Append(1))
            {
                int start = decoder.Length, length = Math.Min(piece, one.config.ContextLength - start);
                if (length == 0)
                {
                    break;
                }

                double[] scores = Wide(decoder.Next(Columns(all, start, length)));
                long[,] read = Columns(all, 0, start + length);
                double[] exactly = Last(exact, one.plan, read);
                using Autocast? autocast = compute.LowerProducts();
                double[] whole = Last(model, one.plan, read);
                if (Largest(exactly.Zip(whole, (a, b) => a - b)) <= mostOfRounding * Largest(exactly))
                {
                    told++;
                    Near.Equal(whole, scores, tolerance, $"token {start + length}");
                }
            }
        }).QuickCheckThrowOnFailure();
        return told;

        static double Largest(IEnumerable<double> values) => values.Max(Math.Abs);
    }

    private static double[] Wide(float[] values) => [.. values.Select(value => (double)value)];

    /// <summary>The scores after the last token of each sequence, read at once.</summary>
    private static double[] Last(Model model, ForwardPlan plan, long[,] ids)
    {
        Tensor logits = ForwardPass.Logits(model, Tensor.From<long>([.. ids.Cast<long>()], [ids.GetLength(0), ids.GetLength(1)]), plan);
        return Near.Values(logits.Narrow(1, ids.GetLength(1) - 1, 1));
    }

    private static long[,] Ids(int seed, int length, int vocabulary) => Ids(seed, 1, length, vocabulary);

    private static long[,] Ids(int seed, int sequences, int length, int vocabulary)
    {
        long[] drawn = Sample.Indices(seed, vocabulary, sequences, length).ToArray<long>();
        var ids = new long[sequences, length];
        Buffer.BlockCopy(drawn, 0, ids, 0, drawn.Length * sizeof(long));
        return ids;
    }

    private static long[,] Columns(long[,] ids, int start, int length)
    {
        var columns = new long[ids.GetLength(0), length];
        for (int row = 0; row < columns.GetLength(0); row++)
        {
            for (int i = 0; i < length; i++)
            {
                columns[row, i] = ids[row, start + i];
            }
        }

        return columns;
    }
}
