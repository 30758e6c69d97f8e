namespace Espalier.Data;

/// <summary>
/// Windows in the order of <see cref="TokenBatches"/>, masked by draws that belong to the window's place in the whole
/// run: another cut of a step into micro-batches or ranks changes neither.
/// </summary>
internal sealed class MaskedTrainingBatches : ITrainingBatches
{
    private readonly MaskedToken _objective;
    private readonly TokenBatches _windows;
    private readonly int _batchSize;
    private readonly ulong _seed;

    public MaskedTrainingBatches(
        MaskedToken objective, TokenShard shard, int batchSize, int contextLength, int microBatches, ulong seed)
    {
        (_objective, _batchSize, _seed) = (objective, batchSize, seed);
        _windows = new TokenBatches(shard, batchSize, contextLength - MaskedToken.FrameTokens, microBatches, seed);
    }

    public TokenBatch At(long step, int microBatch)
    {
        long first = _windows.FirstWindow(step, microBatch);
        long[][] windows = [.. Enumerable.Range(0, _batchSize).Select(row => _windows.Window(first + row))];
        return _objective.Mask(
            windows, known: _ => 0, row => new CounterRandom(_seed, RandomPurpose.Masking, first + row));
    }
}
