namespace Espalier.Data;

/// <summary>
/// Held-out tokens front to back: windows of T tokens, so that each token but the shard's first is a target exactly once.
/// (A prepared shard begins with <c>&lt;|endoftext|&gt;</c>, so that is all of the text.) Windows follow one another; or
/// they overlap, and only what the window before did not predict counts. All batches have the same shape; what is not to
/// be predicted is a target of <see cref="TokenBatch.IgnoredTarget"/>. Safe to use from several threads.
/// </summary>
internal sealed class EvaluationBatches : IHeldOutBatches
{
    private readonly TokenShard _shard;
    private readonly int _batchSize, _contextLength, _stride;
    private readonly long _windows;

    /// <summary>Batches of B windows of T tokens.</summary>
    /// <param name="shard">The tokens.</param>
    /// <param name="batchSize">B: windows in a batch.</param>
    /// <param name="contextLength">T: tokens in a window.</param>
    /// <param name="tokenLimit">How many targets to have at most, from the front; null for all.</param>
    /// <param name="stride">
    /// Tokens from one window to the next, at most T; null for T. With less, every target but the first T has at least
    /// T - stride tokens of context before its own window's part, at the price of T / stride times the work.
    /// </param>
    /// <exception cref="UserErrorException">The shard has not even two tokens.</exception>
    public EvaluationBatches(
        TokenShard shard, int batchSize, int contextLength, long? tokenLimit = null, int? stride = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(contextLength);
        _stride = stride ?? contextLength;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(_stride, nameof(stride));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_stride, contextLength, nameof(stride));
        if (shard.Count < 2 || tokenLimit <= 0)
        {
            throw new UserErrorException(
                $"There is nothing to evaluate in {shard.Path}: it holds {shard.Count} tokens, and the limit is "
                + $"{tokenLimit?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none"}.");
        }

        (_shard, _batchSize, _contextLength) = (shard, batchSize, contextLength);
        TargetCount = Math.Min(shard.Count - 1, tokenLimit ?? long.MaxValue);
        _windows = 1 + (Math.Max(0, TargetCount - contextLength + _stride - 1) / _stride);
        Count = ((_windows - 1) / batchSize) + 1;
    }

    /// <summary>The number of batches.</summary>
    public long Count { get; }

    /// <summary>The number of targets in all batches together, the ignored ones left out.</summary>
    public long TargetCount { get; }

    /// <inheritdoc/>
    public TokenBatch At(long batch)
    {
        var result = new TokenBatch(
            _batchSize, _contextLength, new long[_batchSize * _contextLength], new long[_batchSize * _contextLength]);
        Fill(batch, result.InputIds, result.Targets);
        return result;
    }

    /// <summary>Fills the inputs and targets of one batch.</summary>
    /// <param name="batch">The batch, from 0.</param>
    /// <param name="inputs_BT">Receives B x T token ids; 0 where there is none.</param>
    /// <param name="targets_BT">Receives the B x T ids that follow them, or <see cref="TokenBatch.IgnoredTarget"/>.</param>
    /// <returns>The number of targets that are not ignored, at least 1.</returns>
    public int Fill(long batch, Span<long> inputs_BT, Span<long> targets_BT)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(batch, Count);
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs_BT.Length, _batchSize * _contextLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(targets_BT.Length, inputs_BT.Length);
        inputs_BT.Clear();
        targets_BT.Fill(TokenBatch.IgnoredTarget);
        int predicted = 0;
        for (int row = 0; row < _batchSize && (batch * _batchSize) + row < _windows; row++)
        {
            long window = (batch * _batchSize) + row, start = window * _stride;
            int length = (int)Math.Min(_contextLength, TargetCount - start);
            int known = window == 0 ? 0 : _contextLength - _stride;
            _shard.CopyTo(start, inputs_BT.Slice(row * _contextLength, length));
            _shard.CopyTo(start + known + 1, targets_BT.Slice((row * _contextLength) + known, length - known));
            predicted += length - known;
        }

        return predicted;
    }
}
