using System.Globalization;
using Espalier.Configuration;
using Espalier.Models;

namespace Espalier.Growth;

/// <summary>Reads the sizes that a model is to grow to, as people write them: <c>n_layer=12,n_embd=768</c>.</summary>
public static class GrowthTarget
{
    /// <summary>
    /// Reads sizes. What is not named follows: layers stay as many as they are; of a wider model, heads keep their size and the
    /// feed-forward layer its ratio to the hidden size.
    /// </summary>
    /// <param name="sizes">Sizes under the names of the model's own configuration, with commas between them.</param>
    /// <param name="model">The model to grow.</param>
    /// <returns>The model with these sizes.</returns>
    /// <exception cref="UserErrorException">Something is no size of such a model, or nothing that it can grow to.</exception>
    public static ModelConfig Parse(string sizes, ModelConfig model)
    {
        GrowthSize[] all = GrowthSize.Of(model);
        Dictionary<string, int> asked = [];
        foreach (string setting in sizes.Split(',', StringSplitOptions.TrimEntries))
        {
            (GrowthSize size, int value) = Read(setting, all, model);
            if (!asked.TryAdd(size.Property, value))
            {
                throw new UserErrorException($"--to names {size.Key} twice.");
            }
        }

        ModelConfig to = model with { Layers = Asked(nameof(ModelConfig.Layers)) ?? model.Layers };
        int hidden = Asked(nameof(ModelConfig.HiddenSize)) ?? model.HiddenSize;
        int heads = Asked(nameof(ModelConfig.Heads))
            ?? Follows(model.Heads, Key(nameof(ModelConfig.Heads)), $"heads of the size {model.HeadSize}, as the model has them, do not divide it");
        if (hidden % heads != 0)
        {
            throw new UserErrorException(
                $"--to: {heads} heads do not divide a hidden size of {hidden}.",
                $"Choose {Key(nameof(ModelConfig.Heads))} such that it divides {Key(nameof(ModelConfig.HiddenSize))}.");
        }

        int? ffn = Asked(nameof(ModelConfig.FfnSize)) ?? (model.FfnSize is int width
            ? Follows(width, Key(nameof(ModelConfig.FfnSize)), $"the feed-forward layer's {width} cannot grow in the same ratio")
            : null);
        to = to with { HiddenSize = hidden, Heads = heads, FfnSize = ffn };
        return all.Any(size => size.In(to) != size.In(model)) ? to : throw new UserErrorException(
            $"--to {sizes}: the model has these sizes already.", "Name a size that is to grow.");

        int? Asked(string property) => asked.TryGetValue(property, out int value) ? value : null;

        string Key(string property) => all.Single(size => size.Property == property).Key;

        int Follows(int before, string key, string why)
        {
            long product = (long)before * hidden;
            return product % model.HiddenSize == 0 && product / model.HiddenSize <= int.MaxValue
                ? (int)(product / model.HiddenSize)
                : throw new UserErrorException(
                    $"--to {Key(nameof(ModelConfig.HiddenSize))}={hidden}: {why}.", $"Name {key} as well.");
        }
    }

    private static (GrowthSize Size, int Value) Read(string setting, GrowthSize[] all, ModelConfig model)
    {
        string[] parts = setting.Split('=', StringSplitOptions.TrimEntries);
        if (parts is not [{ Length: > 0 } key, { Length: > 0 } text])
        {
            throw new UserErrorException(
                $"--to: '{setting}' is no size.", $"Write key=number, with commas between them: {all[0].Key}={2 * model.Layers}.");
        }

        GrowthSize size = Array.Find(all, size => size.Key == key) ?? throw Unknown(key, all, model);
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value < 1 || value > size.Most)
        {
            throw new UserErrorException($"--to: {key}={text} is no whole number from 1 to {size.Most}.");
        }

        int before = size.In(model);
        return value >= before ? (size, value) : throw new UserErrorException(
            $"--to: {key}={value} is less than the model's {before}.", "A model grows; none of its sizes can shrink.");
    }

    private static UserErrorException Unknown(string key, GrowthSize[] all, ModelConfig model)
    {
        string type = ConfigKeys.Kebab(model.ModelType), known = string.Join(", ", all.Select(size => size.Key));
        if (ConfigKeys.Of(model.GetType()).Any(other => other.Name == key))
        {
            return new UserErrorException($"--to: {key} is no size that grows.", $"These do: {known}.");
        }

        string? own = ConfigVariants.TypesOf(typeof(ModelConfig)).SelectMany(GrowthSize.OfType)
            .Where(other => other.Key == key)
            .Select(other => all.Single(size => size.Property == other.Property).Key).FirstOrDefault();
        string near = own ?? NearestName.Of(key, all.Select(size => size.Key));
        return new UserErrorException(
            $"--to: a {type} has no {key}.",
            own is not null || NearestName.IsClose(key, near) ? $"Did you mean {near}?" : $"Sizes that grow: {known}.");
    }
}
