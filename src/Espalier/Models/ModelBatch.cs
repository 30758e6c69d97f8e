using Espalier.Data;
using Espalier.Torch;

namespace Espalier.Models;

/// <summary>What a model reads, and what it is to predict from it.</summary>
/// <param name="Input">B sequences of T tokens.</param>
/// <param name="Targets">The tokens to predict (N) or (B, T), int64; <see cref="Functional.IgnoredTarget"/> does not count.</param>
/// <param name="Positions">
/// Where they are to be predicted (N), int64, counted through the B x T positions; null for everywhere, in order.
/// </param>
public sealed record ModelBatch(ModelInput Input, Tensor Targets, Tensor? Positions = null)
{
    private long? _targetCount;

    /// <summary>N: the positions that go through the vocabulary head.</summary>
    public long Predictions => Targets.Count;

    /// <summary>The targets that count: those that are not ignored.</summary>
    public long TargetCount
    {
        get => _targetCount ??= Targets.Count - Targets.ToArray<long>().AsSpan().Count(Functional.IgnoredTarget);
        init => _targetCount = value;
    }

    /// <summary>A batch on a device.</summary>
    public static ModelBatch Of(TokenBatch batch, Device device) => new ModelBatch(
        Tensor.From<long>(batch.InputIds, [batch.Sequences, batch.Length], device),
        Tensor.From<long>(batch.Targets, [batch.Targets.Length], device),
        batch.Positions is null ? null : Tensor.From<long>(batch.Positions, [batch.Positions.Length], device))
    {
        TargetCount = batch.Predicted,
    };
}
