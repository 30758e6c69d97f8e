using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// A part of a model as one forward pass uses it: a layer, or what lies outside of the layers. It hands out weights, of
/// which those that do not train are cut off from the gradient, and does what the pass says with widths and scales, so that
/// an architecture need not know.
/// </summary>
public sealed class ModelPart
{
    private readonly ParameterSet _parameters;
    private readonly int? _layer;
    private readonly bool _trains;
    private readonly double _scale;
    private readonly Tensor? _hidden, _heads, _ffn;

    internal ModelPart(Model model, LayerRun run, bool hasDropout)
        : this(model, run.Stored, run.Trains, run.Scale, run.Mask, hasDropout)
    {
    }

    internal ModelPart(Model model, ForwardPlan plan, bool hasDropout)
        : this(model, null, plan.TrainsRest, 1, plan.RestMask, hasDropout)
    {
    }

    private ModelPart(Model model, int? layer, bool trains, double scale, WidthMask? mask, bool hasDropout)
    {
        (Config, _parameters, _layer, _trains, _scale) = (model.Config, model.Parameters, layer, trains, scale);
        HasDropout = hasDropout;
        if (mask is not null)
        {
            Device device = model.Parameters.Device;
            _hidden = mask.Shares(AxisKind.Hidden, Config, device);
            _heads = mask.Shares(AxisKind.Heads, Config, device);
            _ffn = mask.Shares(AxisKind.Ffn, Config, device);
        }
    }

    /// <summary>The sizes of the model.</summary>
    public ModelConfig Config { get; }

    /// <summary>Whether dropout is on.</summary>
    public bool HasDropout { get; }

    /// <summary>Where in their sequences the tokens stand that this part sees, (B, T), int64; null for 0 to T - 1.</summary>
    public Tensor? Positions { get; init; }

    /// <summary>What this execution of a layer has kept of the tokens before; null where none is kept.</summary>
    public KeyValues? Past { get; init; }

    /// <summary>Where in their sequences the tokens begin that this part sees: those before were read earlier.</summary>
    public int FirstPosition { get; init; }

    /// <summary>What the gradient of <see cref="LossSum"/> counts of each target's squared logarithm of the normalizer.</summary>
    internal double ZLoss { get; init; }

    /// <summary>Weights of matrix products in the type of the products; null where the products lower them.</summary>
    internal LoweredWeights? Lowered { get; init; }

    /// <summary>A weight of this part, by its role.</summary>
    public Tensor this[string role]
    {
        get
        {
            Tensor weight = _layer is int layer ? _parameters[layer, role] : _parameters[role];
            return _trains ? weight : weight.Detach();
        }
    }

    /// <summary>x W + b, or x W^T + b, by the weights <c>role.weight</c> and, where the model has it, <c>role.bias</c>.</summary>
    public Tensor Linear(string role, Tensor x, bool transposed = false)
    {
        Tensor weight = this[role + ".weight"];
        Tensor? bias = _parameters.Find(_layer, role + ".bias");
        return Functional.Linear(
            x, Lowered?.Of(_layer, role, weight) ?? weight, bias is null ? Tensor.None : _trains ? bias : bias.Detach(), transposed);
    }

    /// <summary>Root-mean-square norm over the open units, by the weight <c>role.weight</c>.</summary>
    public Tensor RmsNorm(string role, Tensor x) =>
        Functional.RmsNorm(x, this[role + ".weight"], Config.LayerNormEpsilon, _hidden);

    /// <summary>Layer norm over the open units, by the weights <c>role.weight</c> and <c>role.bias</c>.</summary>
    public Tensor LayerNorm(string role, Tensor x, bool keepType = false)
    {
        Tensor weight = this[role + ".weight"], bias = this[role + ".bias"];
        return _hidden is null
            ? Functional.LayerNorm(x, weight, bias, Config.LayerNormEpsilon, keepType)
            : Functional.LayerNorm(x, weight, bias, _hidden, Config.LayerNormEpsilon);
    }

    /// <summary>The losses in nats of a vocabulary head of these weights, summed over the targets.</summary>
    /// <param name="hidden_NC">What the head reads.</param>
    /// <param name="head_VC">Its weight.</param>
    /// <param name="bias_V">Its bias, or <see cref="Tensor.None"/>.</param>
    /// <param name="targets_N">int64; those of <see cref="Functional.IgnoredTarget"/> do not count.</param>
    public Tensor LossSum(Tensor hidden_NC, Tensor head_VC, Tensor bias_V, Tensor targets_N) =>
        Functional.LinearCrossEntropySum(hidden_NC, head_VC, bias_V, targets_N, ZLoss);

    /// <summary>x, its last axis multiplied by how far its units are open.</summary>
    /// <param name="kind">What the last axis of x counts.</param>
    /// <param name="x">(..., units).</param>
    public Tensor Masked(AxisKind kind, Tensor x)
    {
        Tensor? shares = kind switch
        {
            AxisKind.Hidden => _hidden,
            AxisKind.Heads => _heads,
            AxisKind.Ffn => _ffn,
            _ => null,
        };
        return shares is null ? x : x * shares;
    }

    /// <summary>The residual stream with what a sublayer adds to it, scaled and masked as the pass says.</summary>
    /// <param name="x_BTC">The stream.</param>
    /// <param name="sublayer_BTC">The sublayer's output.</param>
    public Tensor Add(Tensor x_BTC, Tensor sublayer_BTC)
    {
        Tensor added_BTC = Masked(AxisKind.Hidden, sublayer_BTC);
        return x_BTC + (_scale == 1 ? added_BTC : added_BTC * _scale);
    }
}
