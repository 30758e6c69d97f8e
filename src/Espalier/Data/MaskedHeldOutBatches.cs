namespace Espalier.Data;

/// <summary>
/// Held-out windows front to back, under masks that never change. Each token but a window's context is up for masking
/// once; the last window reaches back over text that others have covered, so that all are equally long.
/// </summary>
internal sealed class MaskedHeldOutBatches : IHeldOutBatches
{
    // Any number: what matters is that every model meets the same masks.
    private const ulong Seed = 15;

    private readonly MaskedToken _objective;
    private readonly TokenShard _shard;
    private readonly int _batchSize, _windowLength, _stride;
    private readonly long _tokens, _windows;

    public MaskedHeldOutBatches(
        MaskedToken objective, TokenShard shard, int batchSize, int contextLength, long? tokenLimit, int? stride)
    {
        (_objective, _shard, _batchSize) = (objective, shard, batchSize);
        _tokens = Math.Min(shard.Count, tokenLimit ?? long.MaxValue);
        if (_tokens < 1)
        {
            throw new UserErrorException(
                $"There is nothing to evaluate in {shard.Path}: it holds {shard.Count} tokens, and the limit is {tokenLimit}.");
        }

        _windowLength = (int)Math.Min(contextLength - MaskedToken.FrameTokens, _tokens);
        _stride = Math.Min(stride ?? _windowLength, _windowLength);
        _windows = 1 + ((_tokens - _windowLength + _stride - 1) / _stride);
        Count = (_windows + batchSize - 1) / batchSize;
    }

    public long Count { get; }

    public TokenBatch At(long batch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(batch, Count);
        long first = batch * _batchSize;
        int rows = (int)Math.Min(_batchSize, _windows - first);
        long[][] windows = [.. Enumerable.Range(0, rows).Select(row => Window(first + row))];
        return _objective.Mask(
            windows, row => Known(first + row), row => new CounterRandom(Seed, RandomPurpose.Masking, first + row));
    }

    private long Start(long window) => Math.Min(window * _stride, _tokens - _windowLength);

    private int Known(long window) => window == 0 ? 0 : (int)(Start(window - 1) + _windowLength - Start(window));

    private long[] Window(long window)
    {
        var ids = new long[_windowLength];
        _shard.CopyTo(Start(window), ids);
        return ids;
    }
}
