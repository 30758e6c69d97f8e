using Espalier.Data;

namespace Espalier.Tests.Data;

public sealed class MaskedTokenTests : IDisposable
{
    private const int Words = 1100, Special = 5;
    private const int Pad = 0, Cls = 2, Sep = 3, Mask = 4;

    // [PAD], [UNK], [CLS], [SEP], [MASK], and words.
    private static readonly WordPiece Tokenizer = WordPiece.Create(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", .. Enumerable.Range(0, Words).Select(i => $"w{i}")], lowercase: true);

    private readonly TemporaryFolder _folder = new();
    private readonly List<TokenShard> _shards = [];

    [Fact]
    public void FifteenPerCentArePredictedAndEightyTenTenOfThemTreated()
    {
        ITrainingBatches batches = new MaskedToken(Tokenizer).Training(Shard(20_000), 16, 64, 1, seed: 3);
        long ordinary = 0, predicted = 0, masked = 0, kept = 0, replaced = 0;
        for (int step = 0; step < 100; step++)
        {
            TokenBatch batch = batches.At(step, 0);
            Assert.Equal((16, 64), (batch.Sequences, batch.Length));
            ordinary += (16 * 62) - Enumerable.Range(0, 16).Sum(
                row => batch.InputIds.AsSpan(row * 64, 64)[1..^1].Count((long)Sep));
            predicted += batch.Predicted;
            for (int i = 0; i < batch.Targets.Length; i++)
            {
                long read = batch.InputIds[batch.Positions![i]];
                Assert.InRange(batch.Targets[i], Special, Special + Words - 1);
                masked += read == Mask ? 1 : 0;
                kept += read == batch.Targets[i] ? 1 : 0;
                replaced += read != Mask && read != batch.Targets[i] ? 1 : 0;
                Assert.True(read == Mask || read >= Special, "a special token was drawn");
            }
        }

        // Five standard deviations.
        Within(0.15, predicted, ordinary);
        Within(0.8, masked, predicted);
        Within(0.1 + (0.1 / Words), kept, predicted);
        Within(0.1 - (0.1 / Words), replaced, predicted);

        static void Within(double share, long hits, long of) => Assert.InRange(
            (double)hits / of, share - (5 * Math.Sqrt(share * (1 - share) / of)), share + (5 * Math.Sqrt(share * (1 - share) / of)));
    }

    [Fact]
    public void WindowsStandBetweenClsAndSepAndAllElseIsTheText()
    {
        TokenShard shard = Shard(3_000);
        TokenBatch batch = new MaskedToken(Tokenizer).Training(shard, 4, 32, 2, seed: 8).At(7, 1);
        long[] text = batch.InputIds;
        for (int i = 0; i < batch.Targets.Length; i++)
        {
            Assert.NotInRange(batch.Positions![i] % 32, 31, 31);
            Assert.NotEqual(0, batch.Positions[i] % 32);
            text[batch.Positions[i]] = batch.Targets[i];
        }

        long[] all = new long[shard.Count];
        shard.CopyTo(0, all);
        for (int row = 0; row < 4; row++)
        {
            Span<long> window = text.AsSpan(row * 32, 32);
            Assert.Equal((Cls, Sep), (window[0], window[^1]));
            Assert.True(all.AsSpan().IndexOf(window[1..^1]) >= 0, "the window is no part of the text");
        }
    }

    [Fact]
    public void MasksAreNewInEveryEpochAndTheSameForEveryCutOfAStep()
    {
        TokenShard shard = Shard(40);
        var objective = new MaskedToken(Tokenizer);
        TokenBatch whole = objective.Training(shard, 4, 12, 1, seed: 5).At(3, 0);
        ITrainingBatches halves = objective.Training(shard, 2, 12, 2, seed: 5);
        Assert.Equal(whole.InputIds, [.. halves.At(3, 0).InputIds, .. halves.At(3, 1).InputIds]);
        Assert.Equal(whole.Targets, [.. halves.At(3, 0).Targets, .. halves.At(3, 1).Targets]);
        Assert.Equal(whole.InputIds, objective.Training(shard, 4, 12, 1, seed: 5).At(3, 0).InputIds);
        Assert.NotEqual(whole.InputIds, objective.Training(shard, 4, 12, 1, seed: 6).At(3, 0).InputIds);
    }

    [Theory]
    [InlineData(1000, null)]
    [InlineData(1000, 10)]
    [InlineData(30, null)]
    [InlineData(31, 7)]
    [InlineData(7, null)]
    public void HeldOutTokensAreUpForMaskingOnce(int count, int? stride)
    {
        IHeldOutBatches batches = new MaskedToken(Tokenizer).HeldOut(Shard(count, distinct: true), 3, 32, null, stride);
        var seen = new HashSet<long>();
        for (long i = 0; i < batches.Count; i++)
        {
            TokenBatch batch = batches.At(i);
            Assert.Equal(batch.InputIds, batches.At(i).InputIds);
            Assert.All(batch.Targets, target => Assert.True(seen.Add(target), $"{target} was to be predicted twice"));
        }

        Assert.InRange(seen.Count, 1, Math.Max(1, count / 3));
    }

    [Fact]
    public void ASmallBatchPredictsSomething()
    {
        ITrainingBatches batches = new MaskedToken(Tokenizer).Training(Shard(100), 1, 4, 1, seed: 1);
        Assert.All(Enumerable.Range(0, 200), step => Assert.True(batches.At(step, 0).Predicted > 0));
    }

    [Fact]
    public void ATokenizerWithoutAMaskIsRefused()
    {
        string message = Assert.Throws<UserErrorException>(() => new MaskedToken(ByteLevelBpe.RawBytes)).Message;
        Assert.Contains("[CLS]", message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _shards.ForEach(shard => shard.Dispose());
        _folder.Dispose();
    }

    /// <summary>Documents of 24 words after a [SEP] each; or words that are all different.</summary>
    private TokenShard Shard(int count, bool distinct = false)
    {
        Assert.NotEqual(Pad, Sep);
        string path = _folder.File($"{_shards.Count}.shard");
        using (var writer = new TokenShardWriter(path, distinct ? 70_000 : Tokenizer.VocabularySize, Tokenizer.Fingerprint))
        {
            writer.Append([.. Enumerable.Range(0, count).Select(
                i => distinct ? Special + i : i % 25 == 0 ? Sep : Special + (i * 7919 % Words))]);
            writer.Complete();
        }

        _shards.Add(TokenShard.Open(path));
        return _shards[^1];
    }
}
