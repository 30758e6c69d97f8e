using Espalier.Reporting;
using static System.FormattableString;

namespace Espalier.Planning;

/// <summary>
/// A growth read off two logged curves: where the small model is left, where the large one is at the same loss, and what it saves
/// (Staged Training, arXiv 2203.06211).
/// </summary>
/// <param name="Leave">S1: where the small model's curve has become flat enough to grow.</param>
/// <param name="Enter">S_target: where the large model has the same loss.</param>
/// <param name="Stop">S_opt: where the large model's curve has become too flat to go on.</param>
internal sealed record CurveHop(CurvePoint Leave, CurvePoint Enter, CurvePoint Stop)
{
    /// <summary>S1 / S_target.</summary>
    public double Ratio => Leave.Step / Enter.Step;

    /// <summary>(C_large(S_target) - C_small(S1)) / C_large(S_opt).</summary>
    public double Saving => (Enter.Cost - Leave.Cost) / Stop.Cost;

    /// <summary>Reads a growth off two curves.</summary>
    /// <param name="small">The smaller model.</param>
    /// <param name="large">The larger one.</param>
    /// <param name="slope">Where to grow.</param>
    /// <param name="stop">Where the large model stops.</param>
    /// <exception cref="UserErrorException">A curve does not get there; the message names it.</exception>
    public static CurveHop Of(TrainingCurve small, TrainingCurve large, double slope, CurvePoint stop)
    {
        CurvePoint leave = Flat(small, slope, "--threshold");
        CurvePoint enter = large.At(leave.Loss) ?? throw new UserErrorException(
            Invariant($"{small.Name} and {large.Name} do not cross: {small.Name} has the loss {leave.Loss:F3} at step {leave.Step:F0}, where it should grow, and {large.Name} goes from {large.Points.Max(p => p.Loss):F3} to {large.Points.Min(p => p.Loss):F3}."),
            "Log the larger model from its first steps until its loss is below that.");
        return new CurveHop(leave, enter, stop);
    }

    /// <summary>Where a curve has become flatter than a slope.</summary>
    /// <param name="curve">The curve.</param>
    /// <param name="slope">The slope.</param>
    /// <param name="option">What sets the slope, for the message.</param>
    /// <exception cref="UserErrorException">It never does.</exception>
    public static CurvePoint Flat(TrainingCurve curve, double slope, string option) =>
        curve.FirstFlatterThan(slope) ?? throw new UserErrorException(
            curve.Flattest is double flattest
                ? Invariant($"{curve.Name} never becomes flatter than {slope}: from where it is steepest to step {curve.Points[^1].Step:F0} its slope d log(loss) / d log(FLOPs) is at most {flattest:F4}.")
                : Invariant($"{curve.Name} has {curve.Points.Count} losses that count, too few for a slope where it falls ever more slowly."),
            $"Log that run for longer or more often, or name a steeper slope with {option}.");
}
