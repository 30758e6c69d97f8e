using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// More feed-forward units, computed by fresh weights and read by zeros, so that the model computes what it did (composable
/// function-preserving expansions, arXiv 2308.06103). Their incoming weights have no gradient until the outgoing ones have moved.
/// The paper adds heads in the same way. Here heads and hidden size grow together, and zeros in the hidden
/// axis change layer norm's mean and variance: neither is offered.
/// </summary>
public sealed record AddFfnUnits : WidthOperator
{
    /// <inheritdoc/>
    protected override string Name => "add-ffn-units";

    /// <inheritdoc/>
    public override Promise Promise(ModelConfig model) => new(Kept.Exactly, Dynamics: false);

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        if (grown.HiddenSize != model.HiddenSize)
        {
            throw new UserErrorException(
                $"`hidden_size` {grown.HiddenSize} is not the model's {model.HiddenSize}, and this adds feed-forward units alone.",
                "Leave `hidden_size` and `heads` out, or copy units: HyperCloning, Net2Net, LEMON.");
        }
    }

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => AxisMap.Rounds(before, after);

    /// <inheritdoc/>
    protected override double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsOld(first, second) ? 1 : 0;

    /// <inheritdoc/>
    protected override double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) =>
        IsNewOutput(parameter, 0, first) || IsNewOutput(parameter, 1, second) ? 1 : 0;

    private static bool IsNewOutput(ParameterSpec parameter, int axis, UnitOrigin unit) =>
        unit.Copy > 0 && parameter.Axes[axis].Side == AxisSide.Output;
}
