namespace Espalier.Data;

/// <summary>Causal language modelling: every token is predicted from those before it.</summary>
public sealed class NextToken : IObjective
{
    /// <inheritdoc/>
    public double PredictedShare(int contextLength) => 1;

    /// <inheritdoc/>
    public ITrainingBatches Training(TokenShard shard, int batchSize, int contextLength, int microBatches, ulong seed) =>
        new TokenBatches(shard, batchSize, contextLength, microBatches, seed);

    /// <inheritdoc/>
    public IHeldOutBatches HeldOut(TokenShard shard, int batchSize, int contextLength, long? tokenLimit, int? stride) =>
        new EvaluationBatches(shard, batchSize, contextLength, tokenLimit, stride);
}
