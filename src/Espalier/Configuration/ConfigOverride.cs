namespace Espalier.Configuration;

/// <summary>`training.micro_batch=8`: a value from the command line in place of the file's.</summary>
internal static class ConfigOverride
{
    /// <summary>Sets the value in the file's tree, making sections where there are none yet.</summary>
    public static void Apply(string setting, MapNode root, ConfigProblems problems)
    {
        int equals = setting.IndexOf('=', StringComparison.Ordinal);
        string[] path = setting[..Math.Max(0, equals)].Trim().Split('.');
        if (Array.Exists(path, string.IsNullOrWhiteSpace))
        {
            problems.Add(
                Place.CommandLine, setting, "is not a setting", "write `key=value`, such as training.micro_batch=8");
            return;
        }

        string key = string.Join('.', path);
        int problemsBefore = problems.Count;
        ConfigNode? value = ConfigNode.Parse(setting[(equals + 1)..], _ => Place.CommandLine, key, problems);
        if (problems.Count > problemsBefore)
        {
            return;
        }

        MapNode section = root;
        foreach (string name in path[..^1])
        {
            int index = section.Entries.FindIndex(e => e.Key == name);
            if (index >= 0 && section.Entries[index].Value is MapNode existing)
            {
                section = existing;
                continue;
            }

            if (index >= 0 && section.Entries[index].Value is not ScalarNode { IsNull: true })
            {
                problems.Add(
                    Place.CommandLine, key, $"`{name}` has a value at {section.Entries[index].Place}, and no keys",
                    "set the key itself");
                return;
            }

            var made = new MapNode(Place.CommandLine, []);
            Set(section, index, new MapEntry(name, index >= 0 ? section.Entries[index].Place : Place.CommandLine, made));
            section = made;
        }

        Set(
            section, section.Entries.FindIndex(e => e.Key == path[^1]),
            new MapEntry(path[^1], Place.CommandLine, value ?? new ScalarNode(Place.CommandLine, "", IsPlain: true)));
    }

    private static void Set(MapNode section, int index, MapEntry entry)
    {
        if (index >= 0)
        {
            section.Entries[index] = entry;
        }
        else
        {
            section.Entries.Add(entry);
        }
    }
}
