namespace Espalier.Data;

/// <summary>Reads the lines of a stream, one in memory at a time.</summary>
internal static class Lines
{
    /// <summary>The documents of a text with one document a line. Blank lines are none.</summary>
    /// <exception cref="UserErrorException">A line is not UTF-8, or longer than a gigabyte.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Each(Stream stream, string path) =>
        from line in Texts(stream, path) where !IsBlank(line) select (ReadOnlyMemory<byte>)line.ToArray();

    /// <summary>The documents of a text with blank lines between them; none ends in a newline.</summary>
    /// <exception cref="UserErrorException">A line is not UTF-8, or a document longer than a gigabyte.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> BetweenBlank(Stream stream, string path)
    {
        using var document = new MemoryStream();
        foreach (ReadOnlyMemory<byte> line in Texts(stream, path))
        {
            if (IsBlank(line))
            {
                if (document.Length > 0)
                {
                    yield return document.ToArray();
                    document.SetLength(0);
                }

                continue;
            }

            if (document.Length + line.Length >= Array.MaxLength / 2)
            {
                throw new UserErrorException($"{path} has a document of more than a gigabyte.", "Separate documents by blank lines.");
            }

            if (document.Length > 0)
            {
                document.WriteByte((byte)'\n');
            }

            document.Write(line.Span);
        }

        if (document.Length > 0)
        {
            yield return document.ToArray();
        }
    }

    /// <summary>The lines without their ends, and where each begins; a line is only valid until the next is asked for.</summary>
    /// <exception cref="UserErrorException">A line is longer than a gigabyte.</exception>
    public static IEnumerable<(ReadOnlyMemory<byte> Line, long Offset)> Of(Stream stream, string path)
    {
        var buffer = new byte[1 << 16];
        int start = 0, end = 0, searched = 0;
        long offset = 0;
        while (true)
        {
            int newline = buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n');
            if (newline >= 0)
            {
                int length = searched + newline - start;
                yield return (buffer.AsMemory(start, length), offset);
                start += length + 1;
                offset += length + 1;
                searched = start;
                continue;
            }

            // No whole line left: move the rest to the front, make room where it fills the buffer, and read on.
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
            searched = end;
            if (end == buffer.Length)
            {
                if (end >= Array.MaxLength / 2)
                {
                    throw new UserErrorException($"{path} has a line of more than a gigabyte at offset {offset}.");
                }

                Array.Resize(ref buffer, 2 * end);
            }

            int read = stream.Read(buffer, end, buffer.Length - end);
            if (read == 0)
            {
                if (end > 0)
                {
                    yield return (buffer.AsMemory(0, end), offset);
                }

                yield break;
            }

            end += read;
        }
    }

    private static IEnumerable<ReadOnlyMemory<byte>> Texts(Stream stream, string path)
    {
        foreach ((ReadOnlyMemory<byte> line, long offset) in Of(stream, path))
        {
            Corpus.RequireUtf8(line.Span, path, offset);
            ReadOnlyMemory<byte> text = offset == 0 ? Corpus.WithoutByteOrderMark(line) : line;
            yield return text.Span.EndsWith("\r"u8) ? text[..^1] : text;
        }
    }

    private static bool IsBlank(ReadOnlyMemory<byte> line) => line.Span.Trim(" \t\r"u8).IsEmpty;
}
