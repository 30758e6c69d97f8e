using System.Reflection;
using System.Text;

namespace Espalier.Configuration;

/// <summary>The keys that config records stand for, by reflection, and the naming rules.</summary>
internal static class ConfigKeys
{
    public static bool IsSection(Type type) => type.Name.EndsWith("Config", StringComparison.Ordinal);

    /// <summary>
    /// The keys of a config record: the one that tells its variant, then inherited ones, then its own, in the order of
    /// the properties.
    /// </summary>
    public static IReadOnlyList<ConfigKey> Of(Type config)
    {
        ConfigVariants? variants = ConfigVariants.Of(config);
        return
        [
            .. config.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Select(p => (Name: p.GetCustomAttribute<YamlKeyAttribute>()?.Name ?? Split(p.Name, '_'), Property: p))
                .Select(p => p.Name == variants?.Key
                    ? new ConfigKey(p.Name, p.Property) { IsDiscriminator = true, IsRequired = variants.Default is null }
                    : new ConfigKey(p.Name, p.Property))
                .Where(key => key.IsDiscriminator || key.Property.CanWrite)
                .OrderBy(key => key.IsDiscriminator ? 0 : key.Property.DeclaringType == config ? 2 : 1),
        ];
    }

    /// <summary>The key of a property.</summary>
    public static string NameOf(Type config, string property) =>
        Of(config).Single(key => key.Property.Name == property).Name;

    /// <summary>All values of a config record with their dotted keys.</summary>
    public static IEnumerable<(string Key, object? Value)> Flatten(object config, string path = "")
    {
        foreach (ConfigKey key in Of(config.GetType()))
        {
            object? value = key.Property.GetValue(config);
            string dotted = path + key.Name;
            foreach (var leaf in key.IsSection ? Flatten(value!, dotted + ".") : [(dotted, value)])
            {
                yield return leaf;
            }
        }
    }

    /// <summary>Those values of a config record that are not the defaults of their keys, and what tells variants, with dotted keys.</summary>
    public static IEnumerable<(string Key, object? Value)> Chosen(object config, string path = "")
    {
        object usual = Activator.CreateInstance(config.GetType())!;
        foreach (ConfigKey key in Of(config.GetType()))
        {
            object? value = key.Property.GetValue(config);
            string dotted = path + key.Name;
            bool isUsual = !key.IsDiscriminator && !key.IsSection
                && ConfigValue.Format(value) == ConfigValue.Format(key.Property.GetValue(usual));
            foreach (var leaf in key.IsSection ? Chosen(value!, dotted + ".") : isUsual ? [] : new (string, object?)[] { (dotted, value) })
            {
                yield return leaf;
            }
        }
    }

    /// <summary>The YAML form of an enum's member: `InversePower` is `inverse-power`.</summary>
    public static string Kebab(object enumMember) => Split(enumMember.ToString()!, '-');

    private static string Split(string pascal, char separator)
    {
        var name = new StringBuilder();
        foreach (char c in pascal)
        {
            if (char.IsUpper(c) && name.Length > 0)
            {
                name.Append(separator);
            }

            name.Append(char.ToLowerInvariant(c));
        }

        return name.ToString();
    }
}
