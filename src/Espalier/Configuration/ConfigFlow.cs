namespace Espalier.Configuration;

/// <summary>Parts of a config file in one line, as YAML's flow style has them: to show how something is written.</summary>
internal static class ConfigFlow
{
    /// <summary>A value.</summary>
    public static string Of(ConfigNode node) => node switch
    {
        MapNode map => Of(map.Entries),
        ListNode list => $"[{string.Join(", ", list.Items.Select(Of))}]",
        ScalarNode { IsPlain: true, Text: var text } => text.Length > 0 ? text : "null",
        ScalarNode scalar => ConfigValue.Format(scalar.Text),
        _ => throw new ArgumentOutOfRangeException(nameof(node), node, "no part of a config file"),
    };

    /// <summary>A section.</summary>
    public static string Of(IEnumerable<MapEntry> entries) =>
        $"{{{string.Join(", ", entries.Select(entry => $"{entry.Key}: {Of(entry.Value)}"))}}}";
}
