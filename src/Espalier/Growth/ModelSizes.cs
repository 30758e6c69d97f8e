using System.Globalization;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>
/// Sizes of a model under the names of its own configuration, as people write them: `n_layer=6 n_embd=384`. What is not named
/// follows from another model: layers stay as many; heads keep their size, and the feed-forward layer its ratio to the hidden size.
/// </summary>
/// <param name="Text">The sizes, with spaces between them.</param>
public sealed record ModelSizes(string Text) : IConfigValue<ModelSizes>
{
    /// <inheritdoc/>
    public static string Expected => "write sizes with spaces between them, each `key=number`: `n_layer=6 n_embd=384`";

    /// <summary>The sizes of a model that differ from another's; its layers where none does.</summary>
    /// <param name="model">The model.</param>
    /// <param name="from">The other.</param>
    public static ModelSizes Of(ModelConfig model, ModelConfig from) => OfAll(model, from)[0];

    /// <summary>What several models differ in, for each of them.</summary>
    internal static ModelSizes[] OfAll(params ModelConfig[] models)
    {
        GrowthSize[] all = GrowthSize.Of(models[0]);
        GrowthSize[] differing = [.. all.Where(size => models.Select(size.In).Distinct().Count() > 1)];
        return [.. models.Select(model => Of(model, differing.Length > 0 ? differing : all[..1]))];
    }

    /// <summary>The model that a model becomes with these sizes.</summary>
    /// <param name="model">The model that the rest follows from.</param>
    /// <exception cref="UserErrorException">Something is no size of such a model, or the sizes do not fit together.</exception>
    public ModelConfig Apply(ModelConfig model)
    {
        GrowthSize[] all = GrowthSize.Of(model);
        Dictionary<string, int> asked = [];
        foreach (string setting in Text.Split(' '))
        {
            (GrowthSize size, int value) = Read(setting, all, model);
            if (!asked.TryAdd(size.Property, value))
            {
                throw new UserErrorException($"names {size.Key} twice.");
            }
        }

        int hidden = Asked(nameof(ModelConfig.HiddenSize)) ?? model.HiddenSize;
        int heads = Asked(nameof(ModelConfig.Heads))
            ?? Follows(model.Heads, nameof(ModelConfig.Heads), $"heads of the size {model.HeadSize}, as the model has them, do not divide it");
        int? ffn = Asked(nameof(ModelConfig.FfnSize)) ?? (model.FfnSize is int width
            ? Follows(width, nameof(ModelConfig.FfnSize), $"the feed-forward layer's {width} cannot change in the same ratio")
            : null);
        ModelConfig sized = model.WithWidth(hidden, heads, model.FfnSize is null && ffn == 4 * hidden ? null : ffn) with
        {
            Layers = Asked(nameof(ModelConfig.Layers)) ?? model.Layers,
        };
        return sized.HeadProblem() is var (key, what, remedy) ? throw new UserErrorException($"{key} {what}: {remedy}.") : sized;

        int? Asked(string property) => asked.TryGetValue(property, out int value) ? value : null;

        string Key(string property) => all.Single(size => size.Property == property).Key;

        int Follows(int before, string property, string why)
        {
            long product = (long)before * hidden;
            return product % model.HiddenSize == 0 && product / model.HiddenSize is > 0 and <= int.MaxValue
                ? (int)(product / model.HiddenSize)
                : throw new UserErrorException(
                    $"{Key(nameof(ModelConfig.HiddenSize))}={hidden}: {why}.", $"Name {Key(property)} as well.");
        }
    }

    /// <inheritdoc/>
    public static ModelSizes Parse(ConfigText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new ModelSizes(string.Join(' ', text.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
    }

    /// <summary>The YAML form.</summary>
    public override string ToString() => Text;

    private static ModelSizes Of(ModelConfig model, IEnumerable<GrowthSize> sizes) => new(string.Join(
        ' ', sizes.Select(size => string.Create(CultureInfo.InvariantCulture, $"{size.Key}={size.In(model)}"))));

    private static (GrowthSize Size, int Value) Read(string setting, GrowthSize[] all, ModelConfig model)
    {
        string[] parts = setting.Split('=', StringSplitOptions.TrimEntries);
        if (parts is not [{ Length: > 0 } key, { Length: > 0 } text])
        {
            throw new UserErrorException($"'{setting}' is no size.", $"Write key=number, such as {all[0].Key}={2 * model.Layers}.");
        }

        GrowthSize size = Array.Find(all, size => size.Key == key) ?? throw Unknown(key, all, model);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= 1 && value <= size.Most
            ? (size, value)
            : throw new UserErrorException($"{key}={text} is no whole number from 1 to {size.Most}.");
    }

    private static UserErrorException Unknown(string key, GrowthSize[] all, ModelConfig model)
    {
        string type = model.ModelType, known = string.Join(", ", all.Select(size => size.Key));
        if (ConfigKeys.Of(model.GetType()).Any(other => other.Name == key))
        {
            return new UserErrorException($"{key} is no size that grows.", $"These do: {known}.");
        }

        string? own = ConfigVariants.TypesOf(typeof(ModelConfig)).SelectMany(GrowthSize.OfType)
            .Where(other => other.Key == key)
            .Select(other => all.Single(size => size.Property == other.Property).Key).FirstOrDefault();
        string near = own ?? NearestName.Of(key, all.Select(size => size.Key));
        return new UserErrorException(
            $"a {type} has no {key}.",
            own is not null || NearestName.IsClose(key, near) ? $"Did you mean {near}?" : $"Sizes that grow: {known}.");
    }
}
