using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Tests.Growth;
using Espalier.Torch;

namespace Espalier.Tests.Evaluation;

/// <summary>What a receipt's figures come to, and that a broken promise shows.</summary>
public class ParityTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("bert")]
    public void FiguresAreThoseOfTheModels(string type)
    {
        using Model before = Of(type, 1), after = Of(type, 2);
        TokenBatch tokens = Batch(before.Config);
        Parity parity = Parity.Measure(before, after, Kept.Exactly, new One(tokens));

        ForwardPlan plan = ForwardPlan.Plain(2);
        var batch = ModelBatch.Of(tokens, Device.Cpu);
        float[][] logits =
        [
            .. new[] { before, after }.Select(model => Near.Values(ForwardPass.Logits(model, batch.Input, plan)).Select(x => (float)x).ToArray()),
        ];
        Assert.Equal(tokens.Predicted, parity.Predictions);
        Assert.Equal(logits[0].Max(Math.Abs), parity.LargestLogit, 1e-5);
        Assert.Equal(logits[0].Zip(logits[1], (a, b) => Math.Abs(a - b)).Max(), parity.LargestDifference, 1e-5);
        Assert.False(parity.PromiseHeld);
        Assert.All(new[] { (before, parity.Before), (after, parity.After) }, pair =>
        {
            using Tensor loss = ForwardPass.LossSum(pair.Item1, batch, plan);
            loss.Backward();
            double square = pair.Item1.Parameters.Sum(p => p.Value.Grad is Tensor g ? Near.Values(g).Sum(x => (double)x * x) : 0);
            Assert.Equal(loss.Item() / tokens.Predicted, pair.Item2.Loss, 1e-5);
            Assert.Equal(Math.Sqrt(square) / tokens.Predicted, pair.Item2.GradientNorm, 1e-4);
        });
    }

    [Theory]
    [InlineData(Kept.Exactly, 0.9e-3, true)]
    [InlineData(Kept.Exactly, 1.1e-3, false)]
    [InlineData(Kept.Exactly, double.NaN, false)]
    [InlineData(Kept.Approximately, 0.0, null)]
    [InlineData(Kept.Not, 5.0, null)]
    public void OnlyAnExactPromiseIsHeldToTheTolerance(Kept promised, double difference, bool? held) => Assert.Equal(
        held, new Parity(new(1, 1), new(1, 1), LargestLogit: 10, difference, 7, promised).PromiseHeld);

    [Fact]
    public void TextWithNothingToPredictIsAMistake()
    {
        using Model model = Of("gpt2", 1);
        TokenBatch tokens = Batch(model.Config);
        var nothing = new One(tokens with { Targets = [.. tokens.Targets.Select(_ => TokenBatch.IgnoredTarget)] });
        Assert.Throws<UserErrorException>(() => Parity.Measure(model, model, Kept.Exactly, nothing));
    }

    private static Model Of(string type, int seed) =>
        Sample.ModelOf(type == "bert" ? GrowthSample.Bert(2) : GrowthSample.Gpt2(2), seed);

    private static TokenBatch Batch(ModelConfig model)
    {
        ModelBatch batch = GrowthSample.Batch(model);
        return new TokenBatch(2, model.ContextLength, batch.Input.Ids.ToArray<long>(), batch.Targets.ToArray<long>());
    }

    private sealed class One(TokenBatch tokens) : IHeldOutBatches
    {
        public long Count => 1;

        public TokenBatch At(long batch) => tokens;
    }
}
