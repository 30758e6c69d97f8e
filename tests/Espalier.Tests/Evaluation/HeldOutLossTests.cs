using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Tests.Training;
using Espalier.Torch;

namespace Espalier.Tests.Evaluation;

public class HeldOutLossTests
{
    private const int Context = 16;

    /// <summary>Whole batches, a part of a batch, a part of a window, a single token, more than there is.</summary>
    [Theory]
    [InlineData(2 * 3 * Context)]
    [InlineData((3 * Context) + 5)]
    [InlineData(7)]
    [InlineData(1)]
    [InlineData(null)]
    [InlineData(1_000_000)]
    public void ItIsTheMeanOverTokens(int? limit)
    {
        using Model model = Sample.ModelOf(TinyRun.Recipe.Model with { Layers = 2, VocabularySize = 257 });
        ForwardPlan plan = ForwardPlan.Of(LayerMap.Interpolate(2, 4));
        using TokenShard valid = TinyRun.Data.OpenValid();
        LossResult measured = new HeldOutLoss(new NextToken(), valid, 3, limit, Compute.Cpu).Measure(model, plan);

        long tokens = Math.Min(limit ?? long.MaxValue, valid.Count - 1);
        var expected = ByHand(model, plan, valid, tokens);
        Assert.Equal(tokens, measured.Tokens);
        Assert.Equal(expected, measured.Loss, 2e-5);
        Assert.Equal(Math.Exp(measured.Loss), measured.Perplexity);
    }

    [Fact]
    public void InBfloat16ItIsNearlyTheSame()
    {
        using Model model = Sample.ModelOf(TinyRun.Recipe.Model with { VocabularySize = 257 });
        using TokenShard valid = TinyRun.Data.OpenValid();
        double single = new HeldOutLoss(new NextToken(), valid, 4, null, Compute.Cpu)
            .Measure(model, ForwardPlan.Plain(4)).Loss;
        double half = new HeldOutLoss(new NextToken(), valid, 4, null, Compute.Cpu with { Bf16 = true })
            .Measure(model, ForwardPlan.Plain(4)).Loss;
        Assert.NotEqual(single, half);
        Assert.Equal(single, half, 0.02);
    }

    /// <summary>Window by window, softmax in double precision.</summary>
    private static double ByHand(Model model, ForwardPlan plan, TokenShard shard, long tokens)
    {
        using var noGrad = new NoGrad();
        double sum = 0;
        for (long start = 0; start < tokens; start += Context)
        {
            using var scope = new TensorScope();
            int length = (int)Math.Min(Context, tokens - start);
            var ids = new long[length + 1];
            shard.CopyTo(start, ids);
            double[] logits = Near.Values(ForwardPass.Logits(model, Tensor.From<long>(ids.AsSpan(0, length), [1, length]), plan));
            for (int i = 0; i < length; i++)
            {
                double[] row = logits[(i * model.Config.Vocabulary)..((i + 1) * model.Config.Vocabulary)];
                double largest = row.Max();
                sum += largest + Math.Log(row.Sum(logit => Math.Exp(logit - largest))) - row[ids[i + 1]];
            }
        }

        return sum / tokens;
    }
}
