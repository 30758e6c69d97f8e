using System.Globalization;

namespace Espalier.Reporting;

/// <summary>One line of <c>metrics.csv</c> while it is being read; its errors name the file, the line and the column.</summary>
internal sealed class MetricsLine
{
    private readonly string _path;
    private readonly int _number;
    private readonly Dictionary<string, int> _columns;
    private readonly string[] _cells;

    public MetricsLine(string path, int number, Dictionary<string, int> columns, string[] cells)
    {
        (_path, _number, _columns, _cells) = (path, number, columns, cells);
        if (cells.Length != columns.Count)
        {
            throw Error($"{cells.Length} cells under {columns.Count} columns");
        }
    }

    public MetricsRow Row() => new()
    {
        Step = Whole("step") ?? throw Error("'step' is empty"),
        Tokens = Whole("tokens") ?? 0,
        TrainLoss = Number("train_loss"),
        ValidLoss = Number("valid_loss"),
        LearningRate = Number("learning_rate"),
        GradientNorm = Number("gradient_norm"),
        ExecutedDepth = Number("executed_depth"),
        StoredLayers = (int?)Whole("stored_layers"),
        FlopsLayers = Number("flops_layers") ?? throw Error("'flops_layers' is empty"),
        FlopsAttention = Number("flops_attention") ?? throw Error("'flops_attention' is empty"),
        FlopsHead = Number("flops_head") ?? throw Error("'flops_head' is empty"),
        Seconds = Number("seconds") ?? throw Error("'seconds' is empty"),
    };

    /// <summary>Steps must grow; what is cumulative must not shrink.</summary>
    public void CheckFollows(MetricsRow previous, MetricsRow row)
    {
        if (row.Step <= previous.Step)
        {
            throw Error($"step {row.Step} follows step {previous.Step}");
        }

        if (row.FlopsLayers < previous.FlopsLayers || row.FlopsAttention < previous.FlopsAttention
            || row.FlopsHead < previous.FlopsHead || row.Seconds < previous.Seconds)
        {
            throw Error("cumulative FLOPs or seconds are smaller than on the line before");
        }
    }

    private long? Whole(string column) => Number(column) switch
    {
        null => null,
        double number when number is >= 0 and < long.MaxValue && double.IsInteger(number) => (long)number,
        _ => throw Error($"'{column}' is '{Cell(column)}', not a whole number"),
    };

    private double? Number(string column)
    {
        string cell = Cell(column);
        if (cell.Length == 0)
        {
            return null;
        }

        return double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && double.IsFinite(number)
            ? number
            : throw Error($"'{column}' is '{cell}', not a finite number");
    }

    private string Cell(string column) => _columns.TryGetValue(column, out int index) ? _cells[index] : "";

    private UserErrorException Error(string flaw) => new(
        string.Create(CultureInfo.InvariantCulture, $"'{_path}', line {_number}: {flaw}."),
        "Mend or delete the line.");
}
