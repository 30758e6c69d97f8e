using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public sealed class TokenBatchesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<TokenShard> _shards = [];

    /// <summary>A shard in which token i is i, so that a token says where it came from.</summary>
    private TokenShard Shard(int count)
    {
        string path = _folder.File($"{_shards.Count}.shard");
        using (var writer = new TokenShardWriter(path, 70_000, ByteLevelBpe.RawBytes.Fingerprint))
        {
            writer.Append([.. Enumerable.Range(0, count)]);
            writer.Complete();
        }

        _shards.Add(TokenShard.Open(path));
        return _shards[^1];
    }

    private static (long[] Inputs, long[] Targets) Batch(TokenBatches batches, int size, long step, int microBatch = 0)
    {
        long[] inputs = new long[size], targets = new long[size];
        batches.Fill(step, microBatch, inputs, targets);
        return (inputs, targets);
    }

    [Fact]
    public void EveryWindowComesOncePerEpoch() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(
        Arb.From(Gen.Choose(1, 20).SelectMany(context => Gen.Choose(context + 1, context * 12).Select(count => (context, count)))),
        drawn =>
        {
            (int context, int count) = drawn;
            var batches = new TokenBatches(Shard(count), 1, context, 1, seed: 7);
            for (long epoch = 0; epoch < 3; epoch++)
            {
                long[] starts = [.. Enumerable.Range(0, (int)batches.WindowsPerEpoch)
                    .Select(i => batches.StartOf((epoch * batches.WindowsPerEpoch) + i)).Order()];
                for (int i = 1; i < starts.Length; i++)
                {
                    Assert.Equal(starts[i - 1] + context, starts[i]);
                }

                Assert.InRange(starts[0], 0, context - 1);
                Assert.InRange(starts[^1] + context, 0, count - 1);
                Assert.InRange(count - (starts.Length * context), 1, 2 * context);
            }
        }));

    [Fact]
    public void TargetsFollowInputs()
    {
        var batches = new TokenBatches(Shard(1000), 4, 16, 2, seed: 1);
        (long[] inputs, long[] targets) = Batch(batches, 64, step: 3, microBatch: 1);
        Assert.Equal(inputs.Select(token => token + 1), targets);
        for (int row = 0; row < 4; row++)
        {
            Assert.Equal(Enumerable.Range((int)inputs[row * 16], 16).Select(i => (long)i), inputs[(row * 16)..((row + 1) * 16)]);
        }
    }

    [Fact]
    public void EpochsDifferInOrderAndOffset()
    {
        var batches = new TokenBatches(Shard(5000), 1, 50, 1, seed: 1);
        long[] offsets = [.. Enumerable.Range(0, 20).Select(epoch => batches.StartOf(epoch * batches.WindowsPerEpoch) % 50)];
        Assert.InRange(offsets.Distinct().Count(), 10, 20);
        long[] Epoch(int e) => [.. Enumerable.Range(0, 99).Select(i => batches.StartOf((e * 99) + i) / 50)];
        Assert.Equal(99, batches.WindowsPerEpoch);
        Assert.NotEqual(Epoch(0), Epoch(1));
    }

    [Fact]
    public void AnotherSeedIsAnotherOrderAndTheSameSeedTheSame()
    {
        TokenShard shard = Shard(5000);
        long[] Of(ulong seed) => Batch(new TokenBatches(shard, 8, 50, 1, seed), 400, step: 5).Inputs;
        Assert.Equal(Of(3), Of(3));
        Assert.NotEqual(Of(3), Of(4));
    }

    /// <summary>However a step's windows are dealt to ranks and micro-batches, they are the same windows.</summary>
    [Theory]
    [InlineData(12, 1, 1)]
    [InlineData(3, 4, 1)]
    [InlineData(3, 2, 2)]
    [InlineData(1, 3, 4)]
    public void RanksAndMicroBatchesShareAStep(int batchSize, int microBatches, int worldSize)
    {
        TokenShard shard = Shard(700);
        for (long step = 0; step < 20; step++)
        {
            long[] expected = Batch(new TokenBatches(shard, 12, 10, 1, seed: 9), 120, step).Inputs;
            var actual = new List<long>();
            for (int microBatch = 0; microBatch < microBatches; microBatch++)
            {
                for (int rank = 0; rank < worldSize; rank++)
                {
                    var batches = new TokenBatches(shard, batchSize, 10, microBatches, seed: 9, rank, worldSize);
                    Assert.Equal(120, batches.TokensPerStep);
                    actual.AddRange(Batch(batches, batchSize * 10, step, microBatch).Inputs);
                }
            }

            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void AShardShorterThanAWindowIsRefused()
    {
        Assert.Throws<UserErrorException>(() => new TokenBatches(Shard(16), 1, 16, 1, seed: 0));
        var smallest = new TokenBatches(Shard(17), 2, 16, 1, seed: 0);
        Assert.Equal(1, smallest.WindowsPerEpoch);
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (long)(i % 16)), Batch(smallest, 32, step: 11).Inputs);
    }

    [Fact]
    public void EveryHeldOutTokenIsATargetOnce() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(
        Arb.From(Gen.Choose(2, 300)), Arb.From(Gen.Choose(1, 20)), Arb.From(Gen.Choose(0, 400)),
        (count, context, limit) =>
        {
            var batches = new EvaluationBatches(Shard(count), 3, context, limit == 0 ? null : limit);
            long expected = limit == 0 ? count - 1 : Math.Min(limit, count - 1);
            long[] inputs = new long[3 * context], targets = new long[3 * context];
            var all = new List<long>();
            for (long batch = 0; batch < batches.Count; batch++)
            {
                int filled = batches.Fill(batch, inputs, targets);
                Assert.Equal(filled, targets.Count(target => target != TokenBatch.IgnoredTarget));
                Assert.Equal(targets[..filled], inputs[..filled].Select(input => input + 1));
                Assert.All(inputs[filled..], input => Assert.Equal(0, input));
                all.AddRange(targets[..filled]);
            }

            Assert.Equal(expected, batches.TargetCount);
            Assert.Equal(Enumerable.Range(1, (int)expected).Select(i => (long)i), all);
        }));

    [Fact]
    public void OverlappingWindowsPredictEveryTokenOnceFromALongContext() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(
            Arb.From(Gen.Choose(2, 200)),
            Arb.From(Gen.Choose(1, 20).SelectMany(context => Gen.Choose(1, context).Select(stride => (context, stride)))),
            (count, drawn) =>
            {
                (int context, int stride) = drawn;
                var batches = new EvaluationBatches(Shard(count), 3, context, stride: stride);
                long[] inputs = new long[3 * context], targets = new long[3 * context];
                var all = new List<long>();
                for (long batch = 0; batch < batches.Count; batch++)
                {
                    Assert.Equal(batches.Fill(batch, inputs, targets), targets.Count(target => target >= 0));
                    for (int i = 0; i < targets.Length; i++)
                    {
                        if (targets[i] < 0)
                        {
                            continue;
                        }

                        // Token i of the text is i: the target follows its input, and all before it in the row is its context.
                        int place = i % context;
                        Assert.Equal(targets[i] - 1, inputs[i]);
                        Assert.Equal(targets[i] - 1 - place, inputs[i - place]);
                        Assert.True(place >= Math.Min(targets[i] - 1, context - stride), $"token {targets[i]} sees only {place}");
                        all.Add(targets[i]);
                    }
                }

                Assert.Equal(Enumerable.Range(1, count - 1).Select(i => (long)i), all);
            }));

    [Fact]
    public void NothingToEvaluateIsAnError()
    {
        Assert.Throws<UserErrorException>(() => new EvaluationBatches(Shard(1), 1, 4));
        Assert.Throws<UserErrorException>(() => new EvaluationBatches(Shard(9), 1, 4, tokenLimit: 0));
    }

    public void Dispose()
    {
        _shards.ForEach(shard => shard.Dispose());
        _folder.Dispose();
    }
}
