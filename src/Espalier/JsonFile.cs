using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Espalier;

/// <summary>Files that must hold one JSON object.</summary>
internal static class JsonFile
{
    // JsonObject would find duplicates only when it is first asked for a key.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Reads a file of names and settings.</summary>
    /// <exception cref="UserErrorException">
    /// It cannot be read, is larger than 16 MB, or holds anything but a JSON object without duplicate keys.
    /// </exception>
    public static JsonObject ReadObject(string path, int most = OrdinaryFile.MostSettings)
    {
        byte[] utf8 = ReadBytes(path, most);
        try
        {
            return JsonNode.Parse(utf8, documentOptions: Strict) as JsonObject
                ?? throw new UserErrorException($"{path} holds no JSON object.");
        }
        catch (JsonException exception)
        {
            throw BadFile.NotJson(path, exception);
        }
    }

    /// <summary>Reads the text of one JSON value, every string of which is text.</summary>
    /// <param name="path">The file.</param>
    /// <param name="most">The most bytes that such a file may have.</param>
    /// <exception cref="UserErrorException">It cannot be read, is larger, or holds no JSON.</exception>
    public static byte[] ReadBytes(string path, int most = OrdinaryFile.MostSettings)
    {
        try
        {
            byte[] utf8 = OrdinaryFile.Read(path, most);
            CheckStrings(utf8);
            return utf8;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with half of a surrogate pair.
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
        if (!Utf8.IsValid(utf8))
        {
            throw new JsonException("it is not UTF-8.");
        }

        var reader = new Utf8JsonReader(utf8);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
            {
                reader.GetString();
            }
        }
    }
}
