using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// The whole model side by side again and again (HyperCloning, arXiv 2409.12903): matrices are tiled and divided by how often
/// their inputs stand there, vectors are tiled. Copies stay alike in training until something tells them apart, such as dropout;
/// the paper's noise, which cancels in pairs, is not offered.
/// </summary>
public sealed record HyperCloning : CloneWidth
{
    /// <inheritdoc/>
    protected override string Name => "hyper-cloning";

    /// <inheritdoc/>
    protected override void Check(ModelConfig model, ModelConfig grown)
    {
        Whole("hidden_size", model.HiddenSize, grown.HiddenSize);
        Whole("ffn_size", model.FfnWidth, grown.FfnWidth);
    }

    /// <inheritdoc/>
    protected override AxisMap Units(AxisKind kind, int before, int after) => ShareAlike(AxisMap.Rounds(before, after));

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
