using System.Globalization;
using System.Text.Json;
using Espalier.Data;

namespace Espalier.Finetuning;

/// <summary>The columns of a task's file that the task names, row by row.</summary>
/// <param name="path">The file.</param>
/// <param name="format">How it is written.</param>
/// <param name="header">Whether its first row names the columns.</param>
/// <param name="extraColumns">Whether rows may differ in length.</param>
internal sealed class TaskTable(string path, TaskFormat format, bool header, bool extraColumns)
{
    // JsonObject would find duplicates only when it is first asked for a key.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    private readonly TaskFormat _format = format != TaskFormat.Auto ? format : TextFile.Extension(path) switch
    {
        ".tsv" => TaskFormat.Tsv,
        ".csv" => TaskFormat.Csv,
        ".jsonl" => TaskFormat.Jsonl,
        _ => throw new UserErrorException(
            $"{path} is of an unknown kind.", "Name it .tsv, .csv or .jsonl (or .gz of these), or set data.format."),
    };

    /// <summary>Reads the file.</summary>
    /// <param name="texts">The columns that hold a text: names, numbers from 1, or keys.</param>
    /// <param name="label">The column that holds a text or a number, or null.</param>
    /// <returns>Of every row the named columns, in the given order.</returns>
    /// <exception cref="UserErrorException">
    /// It is missing or damaged, lacks a column, a row has the wrong number of them, or a text is none.
    /// </exception>
    public IEnumerable<TableRow> Read(string[] texts, string? label)
    {
        string content = TextFile.Read(path);
        string[] columns = label is null ? texts : [.. texts, label];
        IEnumerable<TableRow> rows = _format switch
        {
            TaskFormat.Jsonl => JsonRows(content, columns, texts.Length),
            TaskFormat.Tsv => DelimitedRows(DelimitedText.Tsv(content), columns),
            _ => DelimitedRows(DelimitedText.Csv(content, path), columns),
        };
        foreach (TableRow row in rows)
        {
            int empty = Array.FindIndex(row.Fields, string.IsNullOrWhiteSpace);
            yield return empty < 0 || empty >= texts.Length
                ? row
                : throw new UserErrorException(
                    $"{path}:{row.Line}: `{texts[empty]}` is empty.",
                    "Mend or delete the row, or say in the task's data section which column holds the text.");
        }
    }

    private IEnumerable<TableRow> DelimitedRows(IEnumerable<TableRow> rows, string[] columns)
    {
        int[]? places = null;
        int expected = 0;
        foreach (TableRow row in rows)
        {
            if (places is null)
            {
                expected = row.Fields.Length;
                places = [.. columns.Select(column => PlaceOf(column, row.Fields))];
                if (header)
                {
                    continue;
                }
            }

            int count = row.Fields.Length;
            int least = extraColumns ? places.Max() + 1 : expected;
            if (count < least || (count > expected && !extraColumns))
            {
                throw new UserErrorException(
                    $"{path}:{row.Line}: the row has {Columns(count)}, where " +
                    (extraColumns ? $"column {least} is needed." : $"the {(header ? "header" : "first row")} has {expected}."),
                    _format == TaskFormat.Tsv
                        ? "Columns stand between tabs. Mend the row, or set data.extra_columns=true if rows may differ in length."
                        : "Columns stand between commas. Mend the row, or set data.extra_columns=true if rows may differ in length.");
            }

            yield return new TableRow(row.Line, [.. places.Select(place => row.Fields[place])]);
        }
    }

    /// <summary>A column by its name in the header, or else by its number.</summary>
    private int PlaceOf(string column, string[] first)
    {
        int named = header ? Array.IndexOf(first, column) : -1;
        if (named >= 0)
        {
            return named;
        }

        bool isNumber = int.TryParse(column, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        bool isTsv = _format == TaskFormat.Csv && first.Any(field => field.Contains('\t', StringComparison.Ordinal));
        return isNumber && number >= 1 && number <= first.Length
            ? number - 1
            : throw new UserErrorException(
                $"{path} has no column `{column}`: its first row has {Columns(first.Length)}: {string.Join(", ", first.Select(Shortened))}.",
                isTsv ? "The row holds tabs: set data.format=tsv if these stand between the columns." :
                header ? "Name one of these, or set data.header=false if the first row is an example." : "Columns are counted from 1.");
    }

    private IEnumerable<TableRow> JsonRows(string text, string[] keys, int texts)
    {
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                yield return new TableRow(number, JsonFields(line, number, keys, texts));
            }
        }
    }

    private string[] JsonFields(string line, int number, string[] keys, int texts)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line, Strict);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new UserErrorException($"{path}:{number} is not a JSON object.", "Every line must be one.");
            }

            return
            [
                .. keys.Select((key, i) => json.RootElement.TryGetProperty(key, out JsonElement value)
                    ? value.ValueKind switch
                    {
                        JsonValueKind.String => value.GetString()!,
                        _ when i < texts => throw new UserErrorException(
                            $"{path}:{number}: \"{key}\" is no text: {Shortened(value.GetRawText())}.",
                            "Put it in quotes, or say in the task's data section which key holds the text."),
                        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
                        _ => throw new UserErrorException($"{path}:{number}: \"{key}\" is neither text nor a number."),
                    }
                    : throw new UserErrorException(
                        $"{path}:{number} has no \"{key}\"; its keys are " +
                        $"{string.Join(", ", json.RootElement.EnumerateObject().Select(p => $"\"{p.Name}\""))}.",
                        "Say in the task's data section which keys hold text and label.")),
            ];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A lone surrogate is an InvalidOperationException.
            throw BadFile.NotJson(path, e, number);
        }
    }

    private static string Columns(int count) => count == 1 ? "1 column" : $"{count} columns";

    private static string Shortened(string field) =>
        (field.Length <= 30 ? field : field[..30] + "…").Replace("\t", "<TAB>", StringComparison.Ordinal);
}
