namespace Espalier.Configuration;

/// <summary>A YAML file that fills a config record: read, overridden, bound, checked, every problem reported at once.</summary>
internal static class ConfigFile
{
    /// <summary>The text of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="noun">What such a file is called.</param>
    /// <param name="whereTheyAre">A hint for one who names a file that is not there.</param>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static string ReadText(string path, string noun, string whereTheyAre)
    {
        try
        {
            using var text = new StreamReader(new MemoryStream(OrdinaryFile.Read(path)));
            return text.ReadToEnd();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"There is no {noun} `{path}`.", whereTheyAre, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            string what = Directory.Exists(path) ? "it is a folder" : e.Message;
            throw new UserErrorException($"The {noun} `{path}` cannot be read: {what}", "Give a readable YAML file.", e);
        }
    }

    /// <summary>Fills a config record.</summary>
    /// <typeparam name="T">The record.</typeparam>
    /// <param name="yaml">The file's text.</param>
    /// <param name="file">What to call the file in messages.</param>
    /// <param name="noun">What such a file is called.</param>
    /// <param name="example">One that shows how they are written.</param>
    /// <param name="overrides">`key=value`; they come before the file's.</param>
    /// <param name="check">Reports contradictions between keys.</param>
    /// <exception cref="UserErrorException">One line for each problem, `file:line: key: what — remedy`.</exception>
    public static T Parse<T>(
        string yaml, string file, string noun, string example, IEnumerable<string>? overrides,
        Action<T, RecordBinder, ConfigProblems> check)
    {
        var problems = new ConfigProblems();
        ConfigNode? root = ConfigNode.Parse(yaml, line => new Place(file, line), noun, problems);
        if (root is not MapNode map)
        {
            if (problems.AreClean(noun))
            {
                bool isEmpty = root is null or ScalarNode { IsNull: true };
                problems.Add(
                    new Place(file, root?.Place.Line ?? 0), noun, isEmpty ? "is empty" : "is not a list of keys",
                    $"write `key: value` lines; {example} is an example");
            }

            problems.ThrowIfAny();
            throw new InvalidOperationException("A file without a root has a problem.");
        }

        foreach (string setting in overrides ?? [])
        {
            ConfigOverride.Apply(setting, map, problems);
        }

        var binder = new RecordBinder(problems, typeof(T), noun);
        var config = (T)binder.Bind(typeof(T), map, new Place(file, 0));
        check(config, binder, problems);
        problems.ThrowIfAny();
        return config;
    }
}
