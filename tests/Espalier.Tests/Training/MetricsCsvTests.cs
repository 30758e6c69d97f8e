using Espalier.Models;
using Espalier.Training;

namespace Espalier.Tests.Training;

public class MetricsCsvTests
{
    private static readonly MetricsRow Row = new()
    {
        Step = 20,
        Tokens = 3_000_000_000_000_000,
        TrainLoss = 3.25,
        ValidLoss = 3.75,
        LearningRate = 0.001,
        GradientNorm = 0.5,
        ExecutedDepth = 2.5,
        StoredLayers = 6,
        TokensPerSecond = 100.25,
        FlopsPerSecond = 1e20,
        Flops = new FlopsCount(160.5, 20, 21),
        Seconds = 1.125,
    };

    [Fact]
    public void ALineHasTheColumnsThatUsersKnow()
    {
        Assert.Equal(MetricsTable.Header, MetricsCsv.Header);
        Assert.Equal("20,3000000000000000,3.25,3.75,0.001,0.5,2.5,6,100.25,1E+20,160.5,20,21,1.125", MetricsCsv.Line(Row));
        Assert.Equal(
            "20,3000000000000000,3.25,,0.001,0.5,2.5,6,100.25,1E+20,160.5,20,21,1.125",
            MetricsCsv.Line(Row with { ValidLoss = null }));
    }

    [Fact]
    public void RowsComeBackAsTheyWereWritten()
    {
        MetricsRow[] rows =
        [
            Row,
            Row with { Step = 21, ValidLoss = null, TokensPerSecond = double.PositiveInfinity, FlopsPerSecond = double.NaN },
            new() { Step = 30, Flops = Row.Flops, Seconds = 2 },
        ];
        string text = string.Concat(new[] { MetricsCsv.Header }.Concat(rows.Select(MetricsCsv.Line)).Select(line => line + "\n"));
        Assert.Equal(rows, MetricsCsv.Parse("metrics.csv", text));
        Assert.Equal(rows, MetricsCsv.Parse("metrics.csv", text.Replace("\n", "\r\n", StringComparison.Ordinal)));
    }

    [Fact]
    public void ARowCanBePrinted() =>
        Assert.Contains("layers 160.5, attention 20, head 21", Row.ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData("20,1,2,,3,4,5,6,7,8,9,10,11,12", 20L)]
    [InlineData("20,1,2,,3,4,5,6,7,8,9,10,11", null)]
    [InlineData(",1,2,,3,4,5,6,7,8,9,10,11,12", null)]
    [InlineData("", null)]
    public void ALineThatWasCutShortHasNoStep(string line, long? step) => Assert.Equal(step, MetricsCsv.StepOf(line));
}
