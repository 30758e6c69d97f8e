using System.Globalization;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// The whole model side by side again and again (HyperCloning, arXiv 2409.12903): matrices are tiled and divided by how often
/// their inputs stand there, vectors are tiled. Copies stay alike in training until something tells them apart: dropout, or the
/// paper's noise. That is added to what reads one copy and taken from what reads the next, so that it cancels in each sum.
/// Copies then pass back unequal gradients: those that the optimizer's slots are mapped to hold for their mean.
/// </summary>
public sealed record HyperCloning : CloneWidth
{
    /// <summary>
    /// `noise`: the noise in the matrices of the layers, as the signal-to-noise ratio in decibels: at 20, a hundredth of the mean
    /// square of the weights. Default none.
    /// </summary>
    public double? Noise { get; init; }

    /// <summary>Of the noise.</summary>
    public ulong Seed { get; init; }

    /// <inheritdoc/>
    protected override string Name => "hyper-cloning";

    /// <inheritdoc/>
    protected override IEnumerable<string> Settings => Noise is double decibels
        ? [string.Create(CultureInfo.InvariantCulture, $"noise {decibels} dB"), $"seed {Seed}"]
        : [];

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        Whole("hidden_size", model.HiddenSize, grown.HiddenSize);
        Whole("ffn_size", model.FfnWidth, grown.FfnWidth);
    }

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => ShareAlike(AxisMap.Rounds(before, after));

    /// <summary>The released code leaves embeddings and head without noise; so does this with all that is outside of the layers.</summary>
    /// <inheritdoc/>
    protected override Tensor Finish(ParameterSpec parameter, IReadOnlyList<AxisMap> units, Tensor weight) =>
        Noise is double decibels && parameter.Layer is not null && parameter.Axes.Count > 1
            ? PairedNoise.In(weight, parameter, units, decibels, Seed)
            : weight;

    private static void Whole(string key, int before, int after)
    {
        if (after % before != 0)
        {
            int below = after / before * before;
            throw new UserErrorException(
                $"`{key}` {after} is not a multiple of the model's {before}.",
                $"HyperCloning copies the whole model: give {below} or {below + before}. Net2Net and LEMON grow to any width.");
        }
    }
}
