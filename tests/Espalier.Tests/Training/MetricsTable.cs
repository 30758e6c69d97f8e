using System.Globalization;

namespace Espalier.Tests.Training;

/// <summary>The rows of a <c>metrics.csv</c>, its cells by column, read without the project's own reader.</summary>
internal sealed class MetricsTable
{
    /// <summary>The columns as users know them.</summary>
    public const string Header =
        "step,tokens,train_loss,valid_loss,learning_rate,gradient_norm,executed_depth,stored_layers,"
        + "tokens_per_second,flops_per_second,flops_layers,flops_attention,flops_head,seconds";

    /// <summary>Columns that sum up an interval and know nothing of time.</summary>
    public static readonly string[] Means = ["train_loss", "gradient_norm", "executed_depth"];

    /// <summary>Columns that say where the run stands.</summary>
    public static readonly string[] Standing =
        ["step", "tokens", "valid_loss", "learning_rate", "stored_layers", "flops_layers", "flops_attention", "flops_head"];

    private static readonly string[] Columns = Header.Split(',');

    public MetricsTable(string run)
    {
        string text = File.ReadAllText(Path.Combine(run, "metrics.csv"));
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        string[] lines = text.TrimEnd('\n').Split('\n');
        Assert.Equal(Header, lines[0]);
        Rows = [.. lines.Skip(1).Select(line => line.Split(','))];
        Assert.All(Rows, row => Assert.Equal(Columns.Length, row.Length));
    }

    public IReadOnlyList<string[]> Rows { get; }

    public IEnumerable<long> Steps => Rows.Select(row => (long)Number(row, "step"));

    public string[] At(long step) => Rows.Single(row => (long)Number(row, "step") == step);

    public static string Cell(string[] row, string column) => row[Array.IndexOf(Columns, column)];

    public static double Number(string[] row, string column) =>
        double.Parse(Cell(row, column), NumberStyles.Float, CultureInfo.InvariantCulture);

    public static string[] Cells(string[] row, IEnumerable<string> columns) => [.. columns.Select(column => Cell(row, column))];
}
