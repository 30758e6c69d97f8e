using System.Globalization;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Models;

namespace Espalier.Planning;

/// <summary>The sizes of a model that decide what a step of it costs.</summary>
/// <param name="Layers">Its layers.</param>
/// <param name="Hidden">Its width.</param>
/// <param name="Ffn">The width of its feed-forward layers.</param>
internal sealed record LayerSizes(int Layers, int Hidden, int Ffn)
{
    /// <summary>The matrices of the layers, as scaling laws count: L (4 C^2 + 2 C F), which is 12 L C^2 where F is 4 C.</summary>
    public double Parameters => (double)Layers * ((4.0 * Hidden * Hidden) + (2.0 * Hidden * Ffn));

    /// <summary>The sizes of a model.</summary>
    public static LayerSizes Of(ModelConfig model) => new(model.Layers, model.HiddenSize, model.FfnWidth);

    /// <summary>Reads `n_layer=6,n_embd=384`, by the names in any architecture's config.json.</summary>
    /// <param name="text">The text.</param>
    /// <param name="where">What it belongs to, for messages.</param>
    /// <exception cref="UserErrorException">Something is no size, or layers or width are missing.</exception>
    public static LayerSizes Parse(string text, string where)
    {
        GrowthSize[] known = [.. ConfigVariants.TypesOf(typeof(ModelConfig)).SelectMany(GrowthSize.OfType)];
        Dictionary<string, int> sizes = [];
        foreach (string setting in text.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = setting.Split('=', 2);
            GrowthSize size = Array.Find(known, size => size.Key == parts[0]) ?? throw new UserErrorException(
                $"{where}: '{parts[0]}' is no size of a model.",
                $"Write n_layer=6,n_embd=384 or flops=1.2e15; did you mean {NearestName.Of(parts[0], known.Select(s => s.Key))}?");
            if (parts.Length < 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int value)
                || value < 1 || value > size.Most)
            {
                throw new UserErrorException($"{where}: '{setting}' gives no whole number from 1 to {size.Most}.");
            }

            if (!sizes.TryAdd(size.Property, value))
            {
                throw new UserErrorException($"{where} names {size.Key} twice.");
            }
        }

        int hidden = Need(nameof(ModelConfig.HiddenSize), "n_embd or hidden_size");
        return new LayerSizes(
            Need(nameof(ModelConfig.Layers), "n_layer or num_hidden_layers"), hidden,
            sizes.GetValueOrDefault(nameof(ModelConfig.FfnSize), 4 * hidden));

        int Need(string property, string key) => sizes.TryGetValue(property, out int value) ? value : throw new UserErrorException(
            $"{where}: {key} is missing.", "Write both layers and width, such as n_layer=6,n_embd=384.");
    }

    /// <summary>What grows from one model to another.</summary>
    /// <param name="to">The larger one.</param>
    /// <exception cref="UserErrorException">It is not larger.</exception>
    public GrowthKind GrowthTo(LayerSizes to)
    {
        if (to.Layers < Layers || to.Hidden < Hidden || to.Ffn < Ffn || to == this)
        {
            throw new UserErrorException(
                $"The sizes contradict: {this} is to grow to {to}, and that is not larger in every way.",
                "Name the curves of models that grow into one another, the smallest first.");
        }

        bool isDeeper = to.Layers > Layers, isWider = to.Hidden > Hidden || to.Ffn > Ffn;
        return isDeeper && isWider ? GrowthKind.Both : isDeeper ? GrowthKind.Depth : GrowthKind.Width;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Layers} x {Hidden}")
        + (Ffn == 4 * Hidden ? "" : string.Create(CultureInfo.InvariantCulture, $" (ffn {Ffn})"));
}
