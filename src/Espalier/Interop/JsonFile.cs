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

            return JsonNode.Parse(File.ReadAllBytes(path), documentOptions: Strict) as JsonObject
                ?? throw new UserErrorException($"{path} holds no JSON object.");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a key with half of a surrogate pair.
            throw new UserErrorException($"{path} is not valid JSON: {exception.Message}", inner: exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {exception.Message}", inner: exception);
        }
    }
}
