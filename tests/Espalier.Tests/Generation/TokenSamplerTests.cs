using Espalier.Generation;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Generation;

/// <summary>Which tokens are drawn, in closed form.</summary>
public class TokenSamplerTests
{
    // Probabilities 0.1, 0.4, 0.2, 0.3.
    private static readonly float[] Logits = [.. new[] { 0.1, 0.4, 0.2, 0.3 }.Select(p => (float)(Math.Log(p) + 5))];

    [Theory]
    [InlineData(1, 1.0, new[] { 1 })]
    [InlineData(2, 1.0, new[] { 1, 3 })]
    [InlineData(9, 1.0, new[] { 1, 3, 2, 0 })]
    [InlineData(null, 0.39, new[] { 1 })]
    [InlineData(null, 0.41, new[] { 1, 3 })]
    [InlineData(null, 0.69, new[] { 1, 3 })]
    [InlineData(null, 0.71, new[] { 1, 3, 2 })]
    [InlineData(null, 0.91, new[] { 1, 3, 2, 0 })]
    [InlineData(2, 0.57, new[] { 1 })] // of what top-k leaves, 4/7 and 3/7
    [InlineData(2, 0.58, new[] { 1, 3 })]
    public void KeepsTheRightTokens(int? topK, double topP, int[] expected) =>
        Assert.Equal(expected, new TokenSampler(1, topK, topP).Candidates(Logits).Tokens);

    [Fact]
    public void OfEquallyLikelyTokensTheLowerComeFirst() =>
        Assert.Equal([0, 1, 2], new TokenSampler(1, 3).Candidates(new float[8]).Tokens);

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.5)]
    [InlineData(2.0)]
    public void DrawsWithTheProbabilitiesOfTheTemperature(double temperature)
    {
        // As the uniform number runs through [0, 1), each token has a share of its probability.
        const int N = 20_000;
        double[] powers = [.. new[] { 0.1, 0.4, 0.2, 0.3 }.Select(p => Math.Pow(p, 1 / temperature))];
        foreach (TokenSampler sampler in new[] { new TokenSampler(temperature), new TokenSampler(temperature, TopK: 4) })
        {
            var counts = new int[4];
            for (int i = 0; i < N; i++)
            {
                counts[sampler.Draw(Logits, (i + 0.5) / N)]++;
            }

            for (int token = 0; token < 4; token++)
            {
                Assert.InRange(counts[token] / (double)N, (powers[token] / powers.Sum()) - 2e-4, (powers[token] / powers.Sum()) + 2e-4);
            }
        }
    }

    [Fact]
    public void DrawsNothingThatIsLeftOut() => Check.QuickThrowOnFailure(Prop.ForAll(
        Arb.From(Gen.Choose(1, 40).SelectMany(n => Gen.Choose(-500, 500).ArrayOf(n))),
        Arb.From(Gen.Choose(1, 50)),
        Arb.From(Gen.Choose(0, 999)),
        (scores, topK, uniform) =>
        {
            float[] logits = [.. scores.Select(score => score / 10f)];
            var sampler = new TokenSampler(0.7, topK, 0.9);
            int drawn = sampler.Draw(logits, uniform / 1000.0);
            Assert.Contains(drawn, sampler.Candidates(logits).Tokens);
            Assert.True(logits.Count(logit => logit > logits[drawn]) < topK);
            Assert.Equal(logits.Max(), logits[new TokenSampler(0).Draw(logits, uniform / 1000.0)]);
        }));
}
