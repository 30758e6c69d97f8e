using Espalier.Torch;

namespace Espalier.Bench.Step;

/// <summary>How to measure.</summary>
/// <param name="Settings">The models and batches.</param>
/// <param name="Device">Where both sides compute.</param>
/// <param name="MixedPrecision">bf16 autocast, or f32 throughout.</param>
/// <param name="Rounds">How often the sides take turns.</param>
/// <param name="TurnSeconds">How long a turn of Espalier's side lasts, about; PyTorch's does as many steps.</param>
/// <param name="Python">The interpreter of PyTorch's side, or null where there is none.</param>
internal sealed record StepOptions(
    IReadOnlyList<StepSetting> Settings, Device Device, bool MixedPrecision, int Rounds, double TurnSeconds,
    string? Python)
{
    /// <summary>Whether each of several ranks keeps its share of the optimizer.</summary>
    public bool ShardsOptimizer { get; init; }

    public string Precision => MixedPrecision ? "bf16" : "f32";

    /// <summary>The steps of a turn, from the time that one takes.</summary>
    public int StepsInTurn(double secondsPerStep) => Math.Clamp((int)Math.Round(TurnSeconds / secondsPerStep), 3, 1000);
}
