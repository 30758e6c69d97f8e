using System.Text;

namespace Espalier.Finetuning;

/// <summary>A row of a table.</summary>
/// <param name="Line">The line of the file where it begins, from 1.</param>
/// <param name="Fields">Its columns.</param>
internal readonly record struct TableRow(int Line, string[] Fields);

/// <summary>Splits text into rows and columns. Blank lines are no rows.</summary>
internal static class DelimitedText
{
    /// <summary>Tabs between columns; every other character stands for itself, quotes too.</summary>
    public static IEnumerable<TableRow> Tsv(string text)
    {
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            string bare = line.EndsWith('\r') ? line[..^1] : line;
            if (bare.Length > 0)
            {
                yield return new TableRow(number, bare.Split('\t'));
            }
        }
    }

    /// <summary>Commas between columns; a column in quotes may hold commas, line ends and doubled quotes (RFC 4180).</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">What to call it in messages.</param>
    /// <exception cref="UserErrorException">A quote stands where none may.</exception>
    public static IEnumerable<TableRow> Csv(string text, string path)
    {
        int at = 0, line = 1;
        while (at < text.Length)
        {
            int rowLine = line;
            var fields = new List<string>();
            bool isBlank = text[at] is '\n' or '\r';
            while (true)
            {
                bool isQuoted = at < text.Length && text[at] == '"';
                fields.Add(isQuoted ? Quoted(text, path, ref at, ref line) : Bare(text, path, ref at, line));
                if (at >= text.Length || text[at] != ',')
                {
                    break;
                }

                at++;
            }

            // The line's end: LF, CR or both.
            at += at + 1 < text.Length && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 1;
            line++;
            if (!isBlank)
            {
                yield return new TableRow(rowLine, [.. fields]);
            }
        }
    }

    private static string Bare(string text, string path, ref int at, int line)
    {
        int length = text.AsSpan(at).IndexOfAny(",\r\n\"");
        int end = length < 0 ? text.Length : at + length;
        if (end < text.Length && text[end] == '"')
        {
            throw Misplaced(path, line);
        }

        string field = text[at..end];
        at = end;
        return field;
    }

    private static string Quoted(string text, string path, ref int at, ref int line)
    {
        var field = new StringBuilder();
        int opened = line;
        at++;
        while (true)
        {
            int quote = text.IndexOf('"', at);
            if (quote < 0)
            {
                throw new UserErrorException(
                    $"{path}:{opened}: the quote that opens a column here is never closed.", "Double a quote that belongs to the text.");
            }

            field.Append(text, at, quote - at);
            line += text.AsSpan(at, quote - at).Count('\n');
            at = quote + 1;
            if (at >= text.Length || text[at] is ',' or '\r' or '\n')
            {
                return field.ToString();
            }

            if (text[at] != '"')
            {
                throw Misplaced(path, line);
            }

            field.Append('"');
            at++;
        }
    }

    private static UserErrorException Misplaced(string path, int line) => new(
        $"{path}:{line}: a quote stands within a column.",
        "In .csv a column that holds quotes stands in quotes itself, and they are doubled. " +
        "A file with tabs and no quoting is read with data.format=tsv.");
}
