using Espalier.Torch;

namespace Espalier.Models;

/// <summary>
/// Maximal update parametrization (Tensor Programs V, arXiv 2203.03466), in its spectral form (arXiv 2310.17813): the largest singular
/// value of a matrix and of its updates is in proportion to sqrt(out / in), from the fans of each parameter over those of a base
/// model. There all is as without it.
/// </summary>
/// <remarks>
/// <para>
/// The multipliers that the papers put into the forward pass lie in weights here: in their initial values, and in their learning
/// rates. So the model stays what its Hugging Face folder says, and growth keeps what it promises. The output multiplier of a tied
/// head lies in the last norm, which nothing else reads. That of what layers add to the residual stream, (base layers / layers)^alpha
/// (CompleteP, arXiv 2505.01618), lies in the output projections and their biases. That of attention, 1 / d in place of 1 / sqrt(d),
/// lies in the queries, or where these are normed, in their norm.
/// </para>
/// <para>
/// Width is that of the model as it is stored, so that it follows growth. Depth is that of the model that the run ends with: growth in
/// depth then adds layers to a stream that has room for them.
/// </para>
/// </remarks>
public sealed class Mup
{
    private readonly ModelConfig _model;
    private readonly double _width, _ffn, _query, _depth, _alpha;

    internal Mup(MupConfig config, ModelConfig model)
    {
        _model = model;
        _width = (double)model.HiddenSize / config.BaseHiddenSize;
        _ffn = config.BaseFfnSize is int ffn ? (double)model.FfnWidth / ffn : _width;
        _query = Math.Sqrt((config.BaseHeadSize ?? model.HeadSize) / (double)model.HeadSize);
        _depth = config.BaseLayers is int layers ? (double)model.Layers / layers : 1;
        _alpha = config.DepthAlpha ?? 1;
        BaseLayers = config.BaseLayers;
    }

    /// <summary>The layers of the base model; null where rates do not go with depth.</summary>
    internal int? BaseLayers { get; }

    /// <summary>What a parameter's initial values are multiplied by.</summary>
    internal double InitialFactor(ParameterSpec parameter)
    {
        Fans of = Ratio(parameter);
        double normal = parameter.Axes.Count > 1 ? Math.Min(1, of.Spectral) / Math.Sqrt(of.In) : 1;
        return normal * Multiplier(parameter);
    }

    /// <summary>
    /// What elements are multiplied by besides, where queries lie beside keys and values, so that it broadcasts over the parameter; null
    /// where that is 1.
    /// </summary>
    internal Tensor? InitialFactors(ParameterSpec parameter, Device device) => OfQueries(parameter, _query, device);

    /// <summary>What a parameter's learning rate is multiplied by.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="updateNorm">
    /// The largest singular value of an update at a learning rate of 1, but for a constant: of a matrix of some size, whose gradient has
    /// a largest singular value.
    /// </param>
    internal double RateFactor(ParameterSpec parameter, Func<Fans, double, double> updateNorm) =>
        RateFactor(parameter, Multiplier(parameter), updateNorm);

    /// <summary>What the learning rates of elements are multiplied by besides, as with <see cref="InitialFactors"/>.</summary>
    /// <inheritdoc cref="RateFactor(ParameterSpec, Func{Fans, double, double})"/>
    internal Tensor? RateFactors(ParameterSpec parameter, Func<Fans, double, double> updateNorm, Device device)
    {
        double multiplier = Multiplier(parameter);
        double ofQueries = RateFactor(parameter, multiplier * _query, updateNorm) / RateFactor(parameter, multiplier, updateNorm);
        return OfQueries(parameter, ofQueries, device);
    }

    private double RateFactor(ParameterSpec parameter, double multiplier, Func<Fans, double, double> updateNorm)
    {
        Fans fans = parameter.Fans, ratio = Ratio(parameter), atBase = new(fans.In / ratio.In, fans.Out / ratio.Out);

        // The gradient of a weight with a multiplier in it is that of the weight without, over the multiplier.
        double depth = parameter.Layer is null ? 1 : _depth;
        double gradient = Math.Pow(depth, -_alpha) / fans.Spectral / multiplier;
        double wanted = ratio.Spectral * multiplier * Math.Pow(depth, _alpha - 1);
        return wanted * updateNorm(atBase, 1 / atBase.Spectral) / updateNorm(fans, gradient);
    }

    /// <summary>The papers' multiplier in the forward pass that lies in a parameter.</summary>
    private double Multiplier(ParameterSpec parameter)
    {
        double multiplier = parameter.IsReadByTiedHead ? 1 / Ratio(parameter).Out : 1;
        multiplier *= parameter.AddsToStream ? Math.Pow(_depth, -_alpha) : 1;
        return multiplier * (parameter.MakesQueries && FusedAxis(parameter) is null ? _query : 1);
    }

    /// <summary>How much larger a parameter is than the base model's.</summary>
    private Fans Ratio(ParameterSpec parameter) => parameter.FansOf(axis => axis.Kind switch
    {
        AxisKind.Hidden => _width * axis.Units / _model.HiddenSize,
        AxisKind.Heads => _width * axis.Units / _model.HeadGroups,
        AxisKind.Ffn => _ffn * axis.Units / _model.FfnWidth,
        AxisKind.HeadElement => 1 / (_query * _query),
        _ => 1,
    });

    private static Axis? FusedAxis(ParameterSpec parameter) =>
        parameter.Axes.Select(axis => (Axis?)axis).FirstOrDefault(axis => axis!.Value.Parts > 1);

    private static Tensor? OfQueries(ParameterSpec parameter, double factor, Device device)
    {
        if (!parameter.MakesQueries || factor == 1 || FusedAxis(parameter) is not Axis fused)
        {
            return null;
        }

        int queries = fused.Units * fused.UnitSize;
        float[] factors = [.. Enumerable.Range(0, fused.Size).Select(element => element < queries ? (float)factor : 1)];
        long[] shape = parameter.Axes[^1] == fused ? [fused.Size] : [fused.Size, 1];
        return Tensor.From<float>(factors, shape, device);
    }
}
