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

    [Fact]
    public void PiecesAreScoredAsTheWhole() => Check(Compute.Cpu, 2e-5);

    /// <summary>Products round to 8 bits in either case, in other orders, and random layers amplify that; a wrong piece is as far off as it is large.</summary>
    [Fact]
    public void PiecesAreScoredAsTheWholeInBf16() => Check(new Compute(Device.Cpu, Bf16: true), 0.3);

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
    private static void Check(Compute compute, double tolerance)
    {
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
            using Model model = Sample.ModelOf(one.config);
            using var decoder = new Decoder(model, one.plan, compute);
            long[,] all = Ids(one.seed, one.sequences, one.config.ContextLength, one.config.Vocabulary);
            foreach (int piece in one.pieces.Append(1))
            {
                int start = decoder.Length, length = Math.Min(piece, one.config.ContextLength - start);
                if (length == 0)
                {
                    break;
                }

                using NoGrad noGrad = new();
                float[] scores = decoder.Next(Columns(all, start, length));
                using Autocast? autocast = compute.LowerProducts();
                Near.Equal(Last(model, one.plan, Columns(all, 0, start + length)), Wide(scores), tolerance, $"token {start + length}");
            }
        }).QuickCheckThrowOnFailure();
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
