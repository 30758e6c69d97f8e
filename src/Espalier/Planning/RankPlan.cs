using Espalier.Distributed;
using Espalier.Training;

namespace Espalier.Planning;

/// <summary>
/// A stage of a run on several ranks that share the micro-batches of each update and add up their gradients in a ring
/// (<c>docs/scaling.md</c> has the formulas).
/// </summary>
/// <param name="Stage">The stage.</param>
/// <param name="Need">What a single process holds.</param>
/// <param name="Recomputed">What it holds where layers are recomputed.</param>
/// <param name="MicroBatches">M: those of an update, on all ranks together.</param>
/// <param name="Network">What lies between the ranks.</param>
/// <param name="Speed">How fast each is; null where that is not known.</param>
internal sealed record RankPlan(
    CostStage Stage, MemoryNeed Need, MemoryNeed Recomputed, int MicroBatches, Network Network, RankSpeed? Speed)
{
    /// <summary>The least efficiency at which a rank more is called worth it.</summary>
    public const double Enough = 0.8;

    // Whether a signal came, and what the micro-batches came to: some numbers each.
    private const int SmallSums = 2;

    /// <summary>The formulas in a few lines.</summary>
    public const string Formula =
        "Ranks: each computes M / N of an update's M micro-batches and sends 2 (N - 1) / N 4 P bytes, a ring's least, for P parameters (where layers are frozen, less). "
        + "Sending takes these bytes over the network's rate, and 2 (N - 1) latencies for each of the messages: one for every 32 MiB or every layer and the rest, whichever are more, and two small ones. "
        + "Efficiency = t(M) / (N (t(M / N) + sending)), t(m) = m micro-batches and the update itself. Overlapped: what the backward pass of the last "
        + "micro-batch, two thirds of it, can hide at best; the gradients of the lowest layer and of what lies outside of the layers, which are final last, it cannot. ZeRO-1 deals the optimizer's memory out, 1 / N to each, and sends as many bytes.";

    /// <summary>The bytes that leave each rank in an update.</summary>
    public double SentBytes(int ranks) => Network.RingBytes(ranks, Need.Gradients);

    /// <summary>Copies of gradients that are under way, at their most: some buckets, and the largest parameter with one of them.</summary>
    public double UnderWay(int ranks) =>
        ranks == 1 ? 0 : Math.Min(Need.Gradients, (WorkUnderWay.MostUnderWay * WorkUnderWay.BucketBytes) + (4 * Need.Largest));

    /// <summary>The seconds of an update's own computing on each rank.</summary>
    public double? ComputingSeconds(int ranks) => MicroBatches / ranks * MicroBatchSeconds + Speed?.UpdateSeconds;

    /// <summary>The seconds of an update's sending.</summary>
    public double SendingSeconds(int ranks) => SendingSeconds(ranks, Need.Gradients, Stage.Model.Layers + 1);

    /// <summary>Those of what is final only when the backward pass ends: the lowest layer, and what lies outside of the layers.</summary>
    public double LastSendingSeconds(int ranks) => SendingSeconds(
        ranks,
        4 * Stage.Model.Architecture.Parameters(Stage.Model).Where(parameter => parameter.Layer is null or 0).Sum(parameter => (double)parameter.Elements),
        Math.Min(2, Stage.Model.Layers + 1));

    /// <summary>The seconds of an update; of sending, some may be hidden behind computing.</summary>
    public double? UpdateSeconds(int ranks, bool overlapped = false) =>
        ComputingSeconds(ranks) + (overlapped
        ? Math.Max(SendingSeconds(ranks) - (2.0 / 3 * MicroBatchSeconds ?? 0), LastSendingSeconds(ranks))
        : SendingSeconds(ranks));

    /// <summary>How much of N times one rank's speed the ranks reach.</summary>
    public double? Efficiency(int ranks, bool overlapped = false) =>
        ComputingSeconds(1) / (ranks * UpdateSeconds(ranks, overlapped));

    /// <summary>The most ranks that work well: a number that divides the micro-batches.</summary>
    public int? UsefulRanks(int most, bool overlapped = false) => Speed is null ? null
        : Enumerable.Range(1, Math.Min(most, MicroBatches)).Last(ranks => MicroBatches % ranks == 0 && Efficiency(ranks, overlapped) >= Enough);

    /// <summary>What a rank holds.</summary>
    /// <param name="ranks">N.</param>
    /// <param name="keepsAttention">Whether attention keeps its weights for the backward pass.</param>
    /// <param name="dealt">Whether the optimizer's memory is dealt out over the ranks.</param>
    /// <param name="recomputed">Whether the backward pass computes a layer's activations anew.</param>
    public double Bytes(int ranks, bool keepsAttention, bool dealt = false, bool recomputed = false)
    {
        MemoryNeed need = dealt ? Need.DealtOver(ranks) : Need;
        return need.Weights + need.Gradients + need.Optimizer + need.Snapshot + UnderWay(ranks) + Activations(keepsAttention, recomputed);
    }

    /// <summary>The activations of a micro-batch, in bytes.</summary>
    /// <inheritdoc cref="Bytes"/>
    public double Activations(bool keepsAttention, bool recomputed = false)
    {
        MemoryNeed need = recomputed ? Recomputed : Need;
        return need.Activations - (keepsAttention ? 0 : need.AttentionWeights);
    }

    private double SendingSeconds(int ranks, double bytes, int parts) => ranks == 1 ? 0
        : Network.AllReduceSeconds(ranks, bytes, Math.Max(Math.Ceiling(bytes / WorkUnderWay.BucketBytes), parts) + SmallSums);

    private double? MicroBatchSeconds =>
        Stage.Flops.Total / (Stage.End - Stage.Begin) / MicroBatches / Speed?.FlopsPerSecond;
}
