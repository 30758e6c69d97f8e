using System.Globalization;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Shrunk weights, padded with zeros, upon a fresh initialisation: the control that every method of growing width should beat
/// (SZP, arXiv 2605.13405). So is every matrix, those that do not grow included. Of the vectors, where a fresh initialisation
/// is ones or zeros, old elements stay as they are and new ones are fresh: that is ours.
/// </summary>
public sealed record ZeroPadWidth : WidthOperator
{
    /// <summary>The source's limit.</summary>
    private const int MostTimes = 2;

    /// <summary>Starts with a new optimizer, as the source does.</summary>
    public ZeroPadWidth() => Moments = MomentPolicy.Reset;

    /// <summary>What old weights are multiplied by.</summary>
    public double Shrink { get; init; } = 0.4;

    /// <inheritdoc/>
    protected override string Name => "zero-pad-width";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings => [string.Create(CultureInfo.InvariantCulture, $"shrink {Shrink}")];

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Not, Dynamics: false);

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        AtMostTwice("hidden_size", model.HiddenSize, grown.HiddenSize);
        AtMostTwice("ffn_size", model.FfnWidth, grown.FfnWidth);
    }

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => AxisMap.Rounds(before, after);

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        !IsOld(first, second) ? 0 : IsMatrix(parameter) ? Shrink : 1;

    /// <inheritdoc/>
    protected override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsMatrix(parameter) || !IsOld(first, second) ? 1 : 0;

    private static bool IsMatrix(ParameterSpec parameter) => parameter.Axes.Count > 1;

    private static void AtMostTwice(string key, int before, int after)
    {
        if (after > MostTimes * before)
        {
            throw new UserErrorException(
                $"`{key}` {after} is more than twice the model's {before}.",
                $"Padding goes up to {MostTimes * before}; grow again later.");
        }
    }
}
