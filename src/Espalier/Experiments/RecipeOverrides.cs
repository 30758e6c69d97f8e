using Espalier.Configuration;
using Espalier.Training;

namespace Espalier.Experiments;

/// <summary>
/// Values in place of a recipe's, written as it writes them: `model.n_layer: 2`, or `model: {n_layer: 2}`. A section that names its
/// kind, as `method: {name: stack-bert}` does, takes the place of the recipe's whole section.
/// </summary>
public sealed record RecipeOverrides : IConfigValue<RecipeOverrides>
{
    // The keys by which sections of a recipe name their kinds.
    private static readonly string[] Kinds =
    [
        .. ConfigKeys.Of(typeof(Recipe)).Where(key => key.IsSection)
            .Select(key => ConfigVariants.Of(key.Property.PropertyType)?.Key).OfType<string>().Distinct(),
    ];

    private readonly (string Key, ConfigText Value)[] _settings;

    private RecipeOverrides((string Key, ConfigText Value)[] settings) => _settings = settings;

    /// <summary>None.</summary>
    public static RecipeOverrides None { get; } = new([]);

    /// <inheritdoc/>
    public static string Expected => "write keys of a recipe with values below it, such as model.n_layer: 2";

    /// <inheritdoc/>
    public static bool HasKeys => true;

    /// <summary>As the command line of `espalier train` takes them.</summary>
    public IReadOnlyList<string> Arguments => [.. _settings.Select(setting => $"{setting.Key}={setting.Value.Flow}")];

    /// <inheritdoc/>
    public static RecipeOverrides Parse(ConfigText text) => new([.. Flat(text, "")]);

    /// <summary>The values of a key that is written as one value or as a list of them; null where it is not set.</summary>
    /// <typeparam name="T">The type of one value.</typeparam>
    /// <param name="key">The dotted key.</param>
    /// <exception cref="BadValueException">It is something else.</exception>
    public T[]? Values<T>(string key) => _settings.LastOrDefault(setting => setting.Key == key).Value switch
    {
        null => null,
        { IsList: true } list => list.As<T[]>(),
        var one => [one.As<T>()],
    };

    /// <summary>Whether it sets a key, or one within it.</summary>
    /// <param name="key">A dotted key.</param>
    public bool Sets(string key) => Array.Exists(
        _settings, setting => setting.Key == key || setting.Key.StartsWith(key + ".", StringComparison.Ordinal));

    /// <summary>All but one key.</summary>
    /// <param name="key">The dotted key.</param>
    public RecipeOverrides Without(string key) => new([.. _settings.Where(setting => setting.Key != key)]);

    /// <inheritdoc/>
    public bool Equals(RecipeOverrides? other) => other is not null && Arguments.SequenceEqual(other.Arguments);

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => $"{{{string.Join(", ", _settings.Select(setting => $"{setting.Key}: {setting.Value.Flow}"))}}}";

    private static IEnumerable<(string Key, ConfigText Value)> Flat(ConfigText section, string path) => section.Entries.SelectMany(
        entry => entry.Value.HasKeys && !entry.Value.Entries.Any(inner => Kinds.Contains(inner.Key))
            ? Flat(entry.Value, path + entry.Key + ".")
            : [(path + entry.Key, entry.Value)]);
}
