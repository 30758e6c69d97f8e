using System.Text.Json.Nodes;

namespace Espalier.Interop;

/// <summary>
/// The index of a model whose tensors lie in several safetensors files: <c>weight_map</c> names the file of each.
/// </summary>
internal static class SafetensorsIndex
{
    private const string Map = "weight_map";

    /// <summary>Reads an index.</summary>
    /// <returns>The file, by name of the tensor; all files are names beside the index, not paths.</returns>
    /// <exception cref="UserErrorException">It cannot be read or is no index.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        if (JsonFile.ReadObject(path)[Map] is not JsonObject map || map.Count == 0)
        {
            throw new UserErrorException($"{path} is no index of tensors: it has no '{Map}' that names any.");
        }

        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string tensor, JsonNode? node) in map)
        {
            files.Add(tensor, node is JsonValue value && value.TryGetValue(out string? file) && IsFileName(file)
                ? file
                : throw new UserErrorException(
                    $"{path}: '{tensor}' of {Map} must name a .safetensors file in the same folder, without a path."));
        }

        return files;
    }

    /// <summary>Whether a shard's name stays in its folder: what is no plain name could lead anywhere.</summary>
    private static bool IsFileName(string file) =>
        file.EndsWith(".safetensors", StringComparison.Ordinal)
        && file.IndexOfAny(['/', '\\', '\0']) < 0;
}
