using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier;

/// <summary>JSON as people read it.</summary>
internal static class JsonText
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true };

    /// <summary>The text, indented, without a line break at its end.</summary>
    public static string Indented(this JsonNode json) => json.ToJsonString(Options);
}
