using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Reads the sizes that a model is to grow to, as people write them on a command line: <c>n_layer=12,n_embd=768</c>.</summary>
public static class GrowthTarget
{
    /// <summary>Reads sizes. What is not named follows, as <see cref="ModelSizes"/> says.</summary>
    /// <param name="sizes">Sizes under the names of the model's own configuration, with commas between them.</param>
    /// <param name="model">The model to grow.</param>
    /// <returns>The model with these sizes.</returns>
    /// <exception cref="UserErrorException">Something is no size of such a model, or nothing that it can grow to.</exception>
    public static ModelConfig Parse(string sizes, ModelConfig model)
    {
        ModelConfig to;
        try
        {
            to = new ModelSizes(sizes.Replace(" ", "", StringComparison.Ordinal).Replace(',', ' ')).Apply(model);
        }
        catch (UserErrorException exception)
        {
            throw new UserErrorException($"--to: {exception.Message}", exception.Hint, exception);
        }

        GrowthSize[] all = GrowthSize.Of(model);
        return Array.Find(all, size => size.In(to) < size.In(model)) is GrowthSize less
            ? throw new UserErrorException(
                $"--to: {less.Key}={less.In(to)} is less than the model's {less.In(model)}.", "A model grows; none of its sizes can shrink.")
            : all.Any(size => size.In(to) != size.In(model)) ? to : throw new UserErrorException(
                $"--to {sizes}: the model has these sizes already.", "Name a size that is to grow.");
    }
}
