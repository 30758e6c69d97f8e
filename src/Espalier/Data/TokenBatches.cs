namespace Espalier.Data;

/// <summary>
/// Training batches from a shard, in an order that is a function of the seed alone. Each epoch lays a grid of windows of
/// T tokens over the shard, at a random offset below T, and visits all windows in a random order; the grid leaves out
/// fewer than 2T tokens at the two ends. Nothing is stored, so any step can be had at any time, and every micro-batch
/// size, number of micro-batches and number of ranks with the same product sees the same windows in a step.
/// Safe to use from several threads.
/// </summary>
internal sealed class TokenBatches : ITrainingBatches
{
    // The position in the stream of random numbers that holds an epoch's offset; 0 holds its order.
    private const int OffsetStream = 1;

    private readonly TokenShard _shard;
    private readonly int _batchSize, _contextLength, _microBatches, _rank, _worldSize;
    private readonly ulong _seed;

    /// <summary>Batches of B windows of T tokens.</summary>
    /// <param name="shard">The tokens.</param>
    /// <param name="batchSize">B: windows in a micro-batch.</param>
    /// <param name="contextLength">T: tokens in a window.</param>
    /// <param name="microBatches">Micro-batches in a step, on each rank.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="rank">This process's rank.</param>
    /// <param name="worldSize">The number of ranks.</param>
    /// <exception cref="UserErrorException">The shard is shorter than one window and the token after it.</exception>
    public TokenBatches(
        TokenShard shard, int batchSize, int contextLength, int microBatches, ulong seed, int rank = 0, int worldSize = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(contextLength);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(microBatches);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, worldSize);
        if (shard.Count <= contextLength)
        {
            throw new UserErrorException(
                $"{shard.Path} holds {shard.Count} tokens, too few for a context of {contextLength}.",
                "Give more text or a shorter context.");
        }

        (_shard, _batchSize, _contextLength, _microBatches) = (shard, batchSize, contextLength, microBatches);
        (_seed, _rank, _worldSize) = (seed, rank, worldSize);
        WindowsPerEpoch = Math.Max(1, (shard.Count - contextLength) / contextLength);
    }

    /// <summary>The number of windows in an epoch, over all ranks.</summary>
    public long WindowsPerEpoch { get; }

    /// <summary>Tokens that all ranks together train on in a step.</summary>
    public long TokensPerStep => (long)_batchSize * _contextLength * _microBatches * _worldSize;

    /// <summary>Fills the inputs and targets of one micro-batch of this rank.</summary>
    /// <param name="step">The optimizer step, from 0.</param>
    /// <param name="microBatch">The micro-batch within the step, from 0.</param>
    /// <param name="inputs_BT">Receives B x T token ids.</param>
    /// <param name="targets_BT">Receives the B x T ids that follow them.</param>
    public void Fill(long step, int microBatch, Span<long> inputs_BT, Span<long> targets_BT)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(inputs_BT.Length, _batchSize * _contextLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(targets_BT.Length, inputs_BT.Length);
        long first = FirstWindow(step, microBatch);
        for (int row = 0; row < _batchSize; row++)
        {
            long start = StartOf(first + row);
            _shard.CopyTo(start, inputs_BT.Slice(row * _contextLength, _contextLength));
            _shard.CopyTo(start + 1, targets_BT.Slice(row * _contextLength, _contextLength));
        }
    }

    /// <inheritdoc/>
    public TokenBatch At(long step, int microBatch)
    {
        var batch = new TokenBatch(
            _batchSize, _contextLength, new long[_batchSize * _contextLength], new long[_batchSize * _contextLength]);
        Fill(step, microBatch, batch.InputIds, batch.Targets);
        return batch;
    }

    /// <summary>The first window of a micro-batch of this rank, the windows of all epochs counted from 0.</summary>
    internal long FirstWindow(long step, int microBatch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfNegative(microBatch);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(microBatch, _microBatches);
        return ((((step * _microBatches) + microBatch) * _worldSize) + _rank) * _batchSize;
    }

    /// <summary>The tokens of a window.</summary>
    internal long[] Window(long window)
    {
        var ids = new long[_contextLength];
        _shard.CopyTo(StartOf(window), ids);
        return ids;
    }

    /// <summary>Where a window begins in the shard, the windows of all epochs counted from 0.</summary>
    internal long StartOf(long window)
    {
        (long epoch, long position) = Math.DivRem(window, WindowsPerEpoch);
        long mostOffset = Math.Min(_contextLength - 1, _shard.Count - 1 - (WindowsPerEpoch * _contextLength));
        var offsets = new CounterRandom(_seed, RandomPurpose.BatchOrder, epoch, OffsetStream);
        var order = new Permutation(WindowsPerEpoch, new CounterRandom(_seed, RandomPurpose.BatchOrder, epoch));
        return (long)offsets.NextBelow((ulong)mostOffset + 1) + (order[position] * _contextLength);
    }
}
