using System.Globalization;
using System.Text.Json.Nodes;

namespace Espalier.Training;

/// <summary>The form of <c>metrics.csv</c>: one list of columns, by which rows are written and read.</summary>
internal static class MetricsCsv
{
    private static readonly Column[] Columns =
    [
        new("step", row => row.Step, (row, value) => row with { Step = (long)value }) { Kind = Kind.Whole, Need = Need.Value },
        new("tokens", row => row.Tokens, (row, value) => row with { Tokens = (long)value }) { Kind = Kind.Whole },
        new("train_loss", row => row.TrainLoss, (row, value) => row with { TrainLoss = value }) { Need = Need.Column },
        new("valid_loss", row => row.ValidLoss, (row, value) => row with { ValidLoss = value }) { Need = Need.Column },
        new("learning_rate", row => row.LearningRate, (row, value) => row with { LearningRate = value }),
        new("gradient_norm", row => row.GradientNorm, (row, value) => row with { GradientNorm = value }),
        new("executed_depth", row => row.ExecutedDepth, (row, value) => row with { ExecutedDepth = value }),
        new("stored_layers", row => row.StoredLayers, (row, value) => row with { StoredLayers = (int)value }) { Kind = Kind.Whole },

        // A clock that stood still gives speeds that are not finite; no more hangs on them.
        new("tokens_per_second", row => row.TokensPerSecond, (row, value) => row with { TokensPerSecond = value }) { Kind = Kind.Any },
        new("flops_per_second", row => row.FlopsPerSecond, (row, value) => row with { FlopsPerSecond = value }) { Kind = Kind.Any },
        new("flops_layers", row => row.Flops.Layers, (row, value) => row with { Flops = row.Flops with { Layers = value } })
        {
            Need = Need.Value,
        },
        new("flops_attention", row => row.Flops.Attention, (row, value) => row with { Flops = row.Flops with { Attention = value } })
        {
            Need = Need.Value,
        },
        new("flops_head", row => row.Flops.Head, (row, value) => row with { Flops = row.Flops with { Head = value } })
        {
            Need = Need.Value,
        },
        new("seconds", row => row.Seconds, (row, value) => row with { Seconds = value }) { Need = Need.Value },
    ];

    private enum Kind
    {
        Finite,
        Whole,
        Any,
    }

    /// <summary>What a reader cannot do without.</summary>
    private enum Need
    {
        Nothing,
        Column,
        Value,
    }

    /// <summary>The first line of a file.</summary>
    public static string Header { get; } = string.Join(',', Columns.Select(column => column.Name));

    /// <summary>The line of a row.</summary>
    public static string Line(MetricsRow row) => string.Join(',', Columns.Select(column => column.Text(row)));

    /// <summary>The row with the same names, without what it does not say.</summary>
    public static JsonObject Json(MetricsRow row)
    {
        var json = new JsonObject();
        foreach (Column column in Columns)
        {
            if (column.Of(row) is double value && double.IsFinite(value))
            {
                json[column.Name] = column.Kind == Kind.Whole ? (long)value : value;
            }
        }

        return json;
    }

    /// <summary>The step of a line that this file's form has; null where a kill has cut the line short.</summary>
    public static long? StepOf(string line)
    {
        string[] cells = line.Split(',');
        return cells.Length == Columns.Length
            && long.TryParse(cells[0], NumberStyles.None, CultureInfo.InvariantCulture, out long step)
            ? step
            : null;
    }

    /// <summary>
    /// Reads the rows. A last line without its line feed is one that the running job has not finished writing, and is left
    /// out; columns of other names are, too.
    /// </summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="text">Its content.</param>
    /// <returns>At least one row, by growing step.</returns>
    /// <exception cref="UserErrorException">There is no row, or a line is damaged; the message names file and line.</exception>
    public static IReadOnlyList<MetricsRow> Parse(string path, string text)
    {
        string[] lines = text.Split('\n')[..^1];
        if (lines.Length < 2)
        {
            throw new UserErrorException($"'{path}' has no rows yet.", "Wait for the run's first logging interval.");
        }

        Dictionary<string, int> places = Places(path, lines[0].TrimEnd('\r').Split(','));
        var rows = new List<MetricsRow>(lines.Length - 1);
        for (int i = 1; i < lines.Length; i++)
        {
            string? flaw = Row(lines[i].TrimEnd('\r').Split(','), places, out MetricsRow row);
            flaw ??= rows.Count > 0 ? FlawAfter(rows[^1], row) : null;
            if (flaw is not null)
            {
                throw new UserErrorException(
                    string.Create(CultureInfo.InvariantCulture, $"'{path}', line {i + 1}: {flaw}."), "Mend or delete the line.");
            }

            rows.Add(row);
        }

        return rows;
    }

    private static Dictionary<string, int> Places(string path, string[] header)
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < header.Length; i++)
        {
            if (!places.TryAdd(header[i], i))
            {
                throw new UserErrorException($"'{path}', line 1: the column '{header[i]}' is there twice.");
            }
        }

        Column? missing = Columns.FirstOrDefault(column => column.Need != Need.Nothing && !places.ContainsKey(column.Name));
        return missing is null
            ? places
            : throw new UserErrorException(
                $"'{path}', line 1: there is no column '{missing.Name}'.", "Is this a metrics.csv that Espalier has written?");
    }

    /// <summary>Reads the cells of a line; or says what is wrong with them.</summary>
    private static string? Row(string[] cells, Dictionary<string, int> places, out MetricsRow row)
    {
        row = new MetricsRow { Step = 0 };
        if (cells.Length != places.Count)
        {
            return $"{cells.Length} cells under {places.Count} columns";
        }

        foreach (Column column in Columns)
        {
            string cell = places.TryGetValue(column.Name, out int place) ? cells[place] : "";
            if (column.Flaw(cell, out double? value) is string flaw)
            {
                return flaw;
            }

            row = value is double number ? column.With(row, number) : row;
        }

        return null;
    }

    /// <summary>Steps must grow; what is cumulative must not shrink.</summary>
    private static string? FlawAfter(MetricsRow previous, MetricsRow row) =>
        row.Step <= previous.Step
            ? string.Create(CultureInfo.InvariantCulture, $"step {row.Step} follows step {previous.Step}")
            : row.Flops.Layers < previous.Flops.Layers || row.Flops.Attention < previous.Flops.Attention
                || row.Flops.Head < previous.Flops.Head || row.Seconds < previous.Seconds
                ? "cumulative FLOPs or seconds are smaller than on the line before"
                : null;

    /// <param name="Name">Its name in the first line.</param>
    /// <param name="Of">Its value in a row; null where there is none.</param>
    /// <param name="With">The row with another value.</param>
    private sealed record Column(string Name, Func<MetricsRow, double?> Of, Func<MetricsRow, double, MetricsRow> With)
    {
        public Kind Kind { get; init; }

        public Need Need { get; init; }

        public string Text(MetricsRow row) => Of(row) is not double value ? ""
            : Kind == Kind.Whole ? ((long)value).ToString(CultureInfo.InvariantCulture)
            : value.ToString("R", CultureInfo.InvariantCulture);

        /// <summary>Reads a cell; or says what is wrong with it.</summary>
        public string? Flaw(string cell, out double? value)
        {
            value = null;
            if (cell.Length == 0)
            {
                return Need == Need.Value ? $"'{Name}' is empty" : null;
            }

            if (!double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
                || (Kind != Kind.Any && !double.IsFinite(number)))
            {
                return $"'{Name}' is '{cell}', not a finite number";
            }

            value = number;
            return Kind == Kind.Whole && !(number is >= 0 and < long.MaxValue && double.IsInteger(number))
                ? $"'{Name}' is '{cell}', not a whole number"
                : null;
        }
    }
}
