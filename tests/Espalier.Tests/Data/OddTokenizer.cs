using System.Text.Json.Nodes;
using Espalier.Data;

namespace Espalier.Tests.Data;

/// <summary>A golden <c>tokenizer.json</c> with one value that Espalier does not support.</summary>
internal static class OddTokenizer
{
    /// <summary>Requires an error that names the file and the value.</summary>
    /// <param name="file">The sound file.</param>
    /// <param name="key">The key to set, one level below another at most: <c>model.merges</c>.</param>
    /// <param name="value">Its value as JSON.</param>
    /// <param name="named">What the error says.</param>
    public static void IsRefused(string file, string key, string value, string named)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(file))!;
        string[] keys = key.Split('.');
        (keys.Length == 1 ? json : json[keys[0]]!)[keys[^1]] = JsonNode.Parse(value);
        using var folder = new TemporaryFolder();
        string path = folder.Write("odd.json", json.ToJsonString());
        var error = Assert.Throws<UserErrorException>(() => Tokenizer.Load(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }
}
