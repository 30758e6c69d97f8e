using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Width by copies of units. A copy is computed as its source is, from the same weights; what reads it takes its
/// <see cref="UnitOrigin.Share"/> of what was read of the source. Where the shares of all copies of a unit add up to 1, each sum
/// over units is as before.
/// </summary>
/// <remarks>
/// <para>
/// The head reads the last norm. A head of its own is multiplied by the shares, as all that reads. A tied one is the token
/// embedding, which the residual stream needs whole: the last norm's weight and bias are multiplied instead, which gives the
/// same products. Nothing else reads that norm.
/// </para>
/// <para>
/// A layer norm takes its mean and variance over all units, and is as before where all hidden units have equally many copies.
/// </para>
/// <para>
/// What reads a copy passes its share of the gradient back. So a weight's gradient is multiplied by the shares of the units that
/// it produces or scales, and not by those that it reads; a last norm that is multiplied itself is read through whole weights,
/// and its gradient is as before. A norm mixes the gradients of all units as it passes them back: with hidden units of unequal
/// shares they are multiplied so only roughly.
/// </para>
/// </remarks>
public abstract record CloneWidth : WidthOperator
{
    /// <summary>
    /// Of the loss: exactly, where the shares of all copies of a unit add up to 1 and all hidden units have equally many copies;
    /// approximately, where only the first holds, for layer norms then count some units more often; else not. The dynamics
    /// never: a weight that is divided moves by as much as when it was whole.
    /// </summary>
    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model)
    {
        var kept = Kept.Exactly;
        foreach (AxisKind kind in Growing(model))
        {
            var copies = Units(kind, model).Units.Where(unit => !unit.IsMean).ToLookup(unit => unit.Source);
            if (copies.Any(units => Math.Abs(units.Sum(unit => unit.Share) - 1) > 1e-9))
            {
                return new Promise(Kept.Not, Dynamics: false);
            }

            if (kind == AxisKind.Hidden && copies.Select(units => units.Count()).Distinct().Count() > 1)
            {
                kept = Kept.Approximately;
            }
        }

        return new Promise(kept, Dynamics: false);
    }

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        parameter.IsReadByTiedHead ? first.Share : Shares(parameter, first, second, ofRead: true);

    /// <inheritdoc/>
    protected sealed override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        parameter.IsReadByTiedHead ? 1 : Shares(parameter, first, second, ofRead: false);

    /// <summary>The copies of each unit share alike.</summary>
    private protected static AxisMap ShareAlike(AxisMap map)
    {
        var counts = map.Units.CountBy(unit => unit.Source).ToDictionary();
        return new AxisMap([.. map.Units.Select(unit => unit with { Share = 1.0 / counts[unit.Source] })]);
    }

    private static double Shares(ParameterSpec parameter, UnitOrigin first, UnitOrigin second, bool ofRead)
    {
        double shares = Of(0, first);
        return parameter.Axes.Count > 1 ? shares * Of(1, second) : shares;

        double Of(int axis, UnitOrigin unit) => (parameter.Axes[axis].Side == AxisSide.Input) == ofRead ? unit.Share : 1;
    }
}
