using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Interop;

/// <summary>Files that must hold one JSON object.</summary>
internal static class JsonFile
{
    // The limit that the safetensors format sets its headers: a file of names and settings needs no more.
    private const long MostBytes = 100_000_000;

    // JsonObject would find duplicates only when it is first asked for a key.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Reads a file.</summary>
    /// <exception cref="UserErrorException">
    /// It cannot be read, is larger than 100 MB, or holds anything but a JSON object without duplicate keys.
    /// </exception>
    public static JsonObject ReadObject(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MostBytes })
            {
                throw new UserErrorException($"{path} is larger than 100 MB.");
            }

            byte[] utf8 = File.ReadAllBytes(path);
            CheckStrings(utf8);
            return JsonNode.Parse(utf8, documentOptions: Strict) as JsonObject
                ?? throw new UserErrorException($"{path} holds no JSON object.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with half of a surrogate pair, or that is not valid UTF-8.
            throw BadFile.NotJson(path, exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw BadFile.Unreadable(path, exception);
        }
    }

    /// <summary>JsonNode would find a string that is no text only when it is first asked for it.</summary>
    private static void CheckStrings(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
            {
                reader.GetString();
            }
        }
    }
}
