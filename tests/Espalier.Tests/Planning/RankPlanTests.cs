using Espalier.Models;
using Espalier.Optimization;
using Espalier.Planning;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Planning;

/// <summary>The formulas of several ranks.</summary>
public class RankPlanTests
{
    private const int Updates = 100, MicroBatches = 60;
    private const double Flops = 6e15;

    private static readonly ModelConfig Model = new Gpt2Config
    {
        Layers = 12, HiddenSize = 768, Heads = 12, ContextLength = 1024, VocabularySize = 50257,
    };

    private static readonly MemoryNeed Need = MemoryNeed.Of(Model, new AdamW(new AdamWConfig()), 12, 8, isBf16: true);

    private static readonly MemoryNeed Recomputed = MemoryNeed.Of(Model, new AdamW(new AdamWConfig()), 12, 8, isBf16: true, recompute: true);

    /// <summary>A second for each micro-batch, 124,439,808 gradients in 15 messages over 1 GB/s, a tenth of a second the update itself.</summary>
    [Fact]
    public void AnUpdateTakesWhatTheFormulaSays()
    {
        RankPlan plan = Of(new Network("", 1e9, 1e-3), new RankSpeed(Flops / Updates / MicroBatches, 0.1));
        const double Bytes = 4.0 * 124_439_808;
        Assert.Equal(1.5 * Bytes, plan.SentBytes(4));
        Assert.Equal((1.5 * Bytes / 1e9) + (2 * 3 * 1e-3 * (15 + 2)), plan.SendingSeconds(4), 1e-9);
        Assert.Equal(15.1, plan.ComputingSeconds(4)!.Value, 1e-9);
        Assert.Equal(60.1 / (4 * (15.1 + plan.SendingSeconds(4))), plan.Efficiency(4)!.Value, 1e-9);

        // The embeddings, the last norm and the lowest layer leave when nothing is left to hide them behind: 186 MB in 6 messages.
        const double Last = 4.0 * (((50_257 + 1024 + 2) * 768) + (12 * 768 * 768) + (13 * 768));
        Assert.Equal((1.5 * Last / 1e9) + (2 * 3 * 1e-3 * (6 + 2)), plan.LastSendingSeconds(4), 1e-9);
        Assert.Equal(15.1 + plan.LastSendingSeconds(4), plan.UpdateSeconds(4, overlapped: true)!.Value, 1e-9);

        // Over half the rate more is sent than a backward pass can hide.
        RankPlan slow = Of(new Network("", 0.5e9, 1e-3), new RankSpeed(Flops / Updates / MicroBatches, 0.1));
        Assert.Equal(15.1 + slow.SendingSeconds(4) - (2.0 / 3), slow.UpdateSeconds(4, overlapped: true)!.Value, 1e-9);
    }

    [Fact]
    public void OneRankSendsNothingAndWorksAtFullSpeed()
    {
        RankPlan plan = Of(Network.Parse("ethernet-1"), new RankSpeed(1e12, 0.5));
        Assert.Equal((0, 0, 0), (plan.SentBytes(1), plan.SendingSeconds(1), plan.UnderWay(1)));
        Assert.Equal(1, plan.Efficiency(1));
        Assert.Equal(Need.Total, plan.Bytes(1, keepsAttention: true));
        Assert.Equal(Need.Total - Need.AttentionWeights, plan.Bytes(1, keepsAttention: false));
    }

    /// <summary>The copy that a checkpoint in the background is written from has a rank's share of the optimizer.</summary>
    [Fact]
    public void TheCopyIsDealtOutToo()
    {
        RankPlan waits = Of(Network.Parse("nvlink-4"), null), copies = waits with { Need = Need with { HoldsSnapshot = true } };
        Assert.Equal(Need.Weights + Need.Optimizer, copies.Bytes(4, true) - waits.Bytes(4, true));
        Assert.Equal(Need.Weights + (Need.Optimizer / 4), copies.Bytes(4, true, dealt: true) - waits.Bytes(4, true, dealt: true));
    }

    [Fact]
    public void WithoutASpeedThereIsNoTime() =>
        Assert.Equal((null, null, null), (Of(Network.Parse("nvlink-4"), null).ComputingSeconds(2), Of(Network.Parse("nvlink-4"), null).Efficiency(2), Of(Network.Parse("nvlink-4"), null).UsefulRanks(8)));

    /// <summary>More ranks never work better, hiding never harms, and a share of the optimizer's memory is less than all of it.</summary>
    [Fact]
    public void EfficiencyFallsAndMemoryToo() => Prop.ForAll(
        Speeds().ToArbitrary(),
        speeds =>
        {
            RankPlan plan = Of(new Network("", speeds.Rate, speeds.Latency), new RankSpeed(speeds.Flops, speeds.Update));
            int[] counts = [.. Enumerable.Range(1, MicroBatches).Where(count => MicroBatches % count == 0)];
            foreach ((int fewer, int more) in counts.Zip(counts.Skip(1)))
            {
                Assert.True(plan.Efficiency(more) <= plan.Efficiency(fewer));
                Assert.InRange(plan.Efficiency(more, overlapped: true)!.Value, plan.Efficiency(more)!.Value, 1);
                Assert.True(plan.LastSendingSeconds(more) <= plan.SendingSeconds(more));
                Assert.True(plan.SentBytes(more) > plan.SentBytes(fewer) && plan.SentBytes(more) < 2 * Need.Gradients);
                Assert.True(plan.Bytes(more, true, dealt: true) < plan.Bytes(more, true));
                Assert.True(plan.Bytes(more, true, dealt: true, recomputed: true) < plan.Bytes(more, true, dealt: true));
            }

            foreach (bool overlapped in (bool[])[false, true])
            {
                int useful = plan.UsefulRanks(1024, overlapped)!.Value;
                Assert.Contains(useful, counts);
                Assert.True(plan.Efficiency(useful, overlapped) >= RankPlan.Enough);
                Assert.All(counts.Where(count => count > useful), count => Assert.True(plan.Efficiency(count, overlapped) < RankPlan.Enough));
            }
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("ethernet-10", 1.125e9, 50e-6)]
    [InlineData("25Gbit/s,50us", 3.125e9, 50e-6)]
    [InlineData("25e9bit/s,0.05ms", 3.125e9, 50e-6)]
    [InlineData("3.1e9,1e-5", 3.1e9, 1e-5)]
    [InlineData("300GB/s,0s", 300e9, 0)]
    [InlineData("11MB/s,2ms", 11e6, 2e-3)]
    public void ANetworkIsANameOrItsRateAndLatency(string text, double rate, double latency)
    {
        var network = Network.Parse(text);
        Assert.Equal(rate, network.BytesPerSecond, rate * 1e-12);
        Assert.Equal(latency, network.Latency, 1e-15);
    }

    [Theory]
    [InlineData("ethernet")]
    [InlineData("25Gbit/s")]
    [InlineData("0,1us")]
    [InlineData("1e999,1us")]
    [InlineData("1.2.3,1us")]
    [InlineData("")]
    public void AnythingElseIsNone(string text)
    {
        var error = Assert.Throws<UserErrorException>(() => Network.Parse(text));
        Assert.Contains($"'{text}' is no network", error.Message, StringComparison.Ordinal);
        Assert.Contains("nvlink-4", error.Hint, StringComparison.Ordinal);
    }

    private static RankPlan Of(Network network, RankSpeed? speed) =>
        new(new CostStage(Model, 0, Updates, new FlopsCount(Flops, 0, 0), 12), Need, Recomputed, MicroBatches, network, speed);

    private static Gen<(double Rate, double Latency, double Flops, double Update)> Speeds()
    {
        Gen<double> exponent = Gen.Choose(-400, 400).Select(hundredths => Math.Pow(10, hundredths / 100.0));
        return from rate in exponent
               from latency in exponent
               from flops in exponent
               from update in exponent
               select (rate * 1e9, latency * 1e-5, flops * 1e14, update * 1e-2);
    }
}
