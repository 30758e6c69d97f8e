namespace Espalier.Data;

/// <summary>What a model is pre-trained to do: it makes batches of text, for training and for measuring.</summary>
public interface IObjective
{
    /// <summary>The share of a sequence's positions at which something is predicted, on average.</summary>
    /// <param name="contextLength">T.</param>
    double PredictedShare(int contextLength);

    /// <summary>Training batches, in an order and with draws that are functions of the seed alone.</summary>
    /// <param name="shard">The tokens.</param>
    /// <param name="batchSize">B: sequences in a micro-batch.</param>
    /// <param name="contextLength">T: tokens in a sequence.</param>
    /// <param name="microBatches">Micro-batches in a step.</param>
    /// <param name="seed">The run's seed.</param>
    /// <exception cref="UserErrorException">The shard is too short.</exception>
    ITrainingBatches Training(TokenShard shard, int batchSize, int contextLength, int microBatches, ulong seed);

    /// <summary>Held-out text front to back: always the same batches.</summary>
    /// <param name="shard">The tokens.</param>
    /// <param name="batchSize">B: sequences in a batch, at most.</param>
    /// <param name="contextLength">T: tokens in a sequence, at most.</param>
    /// <param name="tokenLimit">How many tokens to use at most, from the front; null for all.</param>
    /// <param name="stride">
    /// Tokens from one window of text to the next; null for windows that do not overlap. With less, each token is
    /// predicted once, from more context, at the price of more work.
    /// </param>
    /// <exception cref="UserErrorException">The shard is too short.</exception>
    IHeldOutBatches HeldOut(TokenShard shard, int batchSize, int contextLength, long? tokenLimit, int? stride);
}

/// <summary>Batches to train on.</summary>
public interface ITrainingBatches
{
    /// <summary>One micro-batch.</summary>
    /// <param name="step">The optimizer step, from 0.</param>
    /// <param name="microBatch">The micro-batch within the step, from 0.</param>
    TokenBatch At(long step, int microBatch);
}

/// <summary>Batches to measure on.</summary>
public interface IHeldOutBatches
{
    /// <summary>The number of batches.</summary>
    long Count { get; }

    /// <summary>One batch.</summary>
    /// <param name="batch">The batch, from 0.</param>
    TokenBatch At(long batch);
}
