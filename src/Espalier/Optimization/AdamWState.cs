using Espalier.Torch;

namespace Espalier.Optimization;

/// <summary>The running means that AdamW keeps of one parameter, float32, shaped like it.</summary>
/// <param name="ExpAvg">Of the gradient.</param>
/// <param name="ExpAvgSq">Of its square.</param>
public sealed record Moments(Tensor ExpAvg, Tensor ExpAvgSq) : IDisposable
{
    /// <summary>Moments that have seen nothing yet.</summary>
    public static Moments Empty(Tensor parameter) => new(Tensor.ZerosLike(parameter), Tensor.ZerosLike(parameter));

    /// <summary>A copy with its own memory.</summary>
    public Moments Copy() => new(ExpAvg.Clone(), ExpAvgSq.Clone());

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        ExpAvg.Dispose();
        ExpAvgSq.Dispose();
    }
}

/// <summary>What AdamW remembers: moments by parameter name, and one step count for all of them.</summary>
/// <param name="moments">By parameter name.</param>
/// <param name="stepCount">Updates since the moments were empty, for the bias corrections.</param>
public sealed class AdamWState(Dictionary<string, Moments> moments, long stepCount) : IDisposable
{
    /// <summary>By parameter name.</summary>
    public Dictionary<string, Moments> Moments { get; } = moments;

    /// <summary>Updates since the moments were empty.</summary>
    public long StepCount { get; set; } = stepCount;

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach (Moments moments in Moments.Values)
        {
            moments.Dispose();
        }
    }
}
