using System.Text.Json;

namespace Espalier.Data;

/// <summary>Reads the texts of a JSON Lines stream, one line in memory at a time.</summary>
internal static class JsonLines
{
    /// <summary>The text under <paramref name="key"/> of every line that is not blank.</summary>
    /// <exception cref="UserErrorException">A line is not a JSON object with such a text; names file and line.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Texts(Stream stream, string path, string key)
    {
        int number = 0;
        foreach ((ReadOnlyMemory<byte> line, long offset) in Lines.Of(stream, path))
        {
            number++;
            Corpus.RequireUtf8(line.Span, path, offset);
            ReadOnlyMemory<byte> json = number == 1 ? Corpus.WithoutByteOrderMark(line) : line;
            if (!json.Span.Trim(" \t\r"u8).IsEmpty)
            {
                yield return TextOf(json.Span, path, number, key);
            }
        }
    }

    private static byte[] TextOf(ReadOnlySpan<byte> json, string path, int number, string key)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw new UserErrorException($"{path}:{number} is not a JSON object.", "Every line must be one.");
            }

            byte[]? text = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool wanted = reader.ValueTextEquals(key);
                reader.Read();
                if (!wanted)
                {
                    reader.Skip();
                }
                else if (reader.TokenType == JsonTokenType.String)
                {
                    var buffer = new byte[reader.ValueSpan.Length];
                    text = buffer[..reader.CopyString(buffer)];
                }
                else
                {
                    throw new UserErrorException($"{path}:{number}: \"{key}\" is not a string.");
                }
            }

            // Reads on to the end of the line, where nothing may follow.
            while (reader.Read())
            {
            }

            return text ?? throw new UserErrorException(
                $"{path}:{number} has no \"{key}\".", "Say which key holds the text if it is another one.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw BadFile.NotJson(path, e, number);
        }
    }
}
