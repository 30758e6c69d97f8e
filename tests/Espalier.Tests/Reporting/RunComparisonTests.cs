using System.Text.Json;
using Espalier.Reporting;
using Espalier.Training;

namespace Espalier.Tests.Reporting;

public sealed class RunComparisonTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("comparison-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>
    /// The baseline's loss is 5 - step/1000 for 1000 steps; the run falls twice as fast per step, at 1.25 times the cost:
    /// the held-out target 5 is reached at step 500, at 62.5 % of the baseline's cost. Both training curves are averaged
    /// over 20 steps (two rows), which raises them by half a row: 0.005 and 0.010, so the run is there 2.5 steps later.
    /// </summary>
    [Fact]
    public void SavingsOfStraightLinesAreExact()
    {
        RunMetrics scratch = Run("scratch", 1000, step => 5 - (step / 1000));
        RunMetrics fast = Run("fast", 1000, step => 5 - (2 * step / 1000), costPerStep: 1.25);
        RunComparison comparison = RunComparison.Of(scratch, [fast]);
        Assert.Equal(20, comparison.SmoothingSteps);

        Assert.Equal(5, comparison.Valid.Target!.Value, 12);
        RunSaving valid = comparison.Valid.Runs[1];
        Assert.Equal(500, valid.Reaching!.Value.Step, 9);
        Assert.Equal(62_500, valid.ToTarget!.Value.Flops, 6);
        Assert.Equal(56_250, valid.ToTarget!.Value.FlopsWithoutHead, 6);
        Assert.Equal(312.5, valid.ToTarget!.Value.Seconds, 6);
        Assert.Equal(0.375, valid.FlopsSaving!.Value, 9);
        Assert.Equal(0.375, valid.FlopsSavingWithoutHead!.Value, 9);
        Assert.Equal(0.6, valid.FlopsSpeedup!.Value, 9);
        Assert.Equal(0.375, valid.WallSaving!.Value, 9);

        Assert.Equal(4.005, comparison.Train.Target!.Value, 9);
        Assert.Equal(502.5, comparison.Train.Runs[1].Reaching!.Value.Step, 6);
        Assert.Equal(1 - (1.25 * 0.5025), comparison.Train.Runs[1].FlopsSaving!.Value, 9);
    }

    /// <summary>Two evaluations at steps 400 and 500 with the target a quarter of the way between them.</summary>
    [Fact]
    public void TheCrossingLiesOnTheLineBetweenTwoEvaluations()
    {
        RunMetrics scratch = Run("scratch", 1000, _ => 2.75);
        RunMetrics steep = Run("steep", 1000, step => step <= 400 ? 3 : 2);
        RunSaving saving = RunComparison.Of(scratch, [steep]).Valid.Runs[1];
        Assert.Equal(425, saving.Reaching!.Value.Step, 9);
        Assert.Equal(0.575, saving.FlopsSaving!.Value, 9);
    }

    [Fact]
    public void TheWindowAveragesExactlyItsSteps()
    {
        RunMetrics run = Run("run", 100, step => step);
        IReadOnlyList<LossPoint> points = LossCurve.Training(run, window: 30).Points;
        Assert.Equal([10, 15, 20, 30, 40, 50, 60, 70, 80, 90], points.Select(point => point.Loss));
        Assert.Equal(run.Rows.Select(Cost.Of), points.Select(point => point.Cost));
        Assert.Equal(run.Rows.Select(row => row.TrainLoss), LossCurve.Training(run, 1).Points.Select(p => (double?)p.Loss));
    }

    [Fact]
    public void RowsWeighAsManyStepsAsTheyStandFor()
    {
        IReadOnlyList<MetricsRow> rows =
        [
            new() { Step = 10, TrainLoss = 4 },
            new() { Step = 40, TrainLoss = 2 },
        ];
        var run = new RunMetrics("uneven", _folder, "", rows);
        Assert.Equal((10 * 4 + 30 * 2) / 40.0, LossCurve.Training(run, 1000).Points[^1].Loss, 12);
    }

    /// <summary>The baseline may touch its final loss early; its own saving is 0 all the same, and the touch is reported.</summary>
    [Fact]
    public void TheBaselineSavesNothingAgainstItself()
    {
        RunMetrics scratch = Run("scratch", 1000, step => step is > 600 and < 800 ? 1 : 5 - (step / 1000));
        LossComparison valid = RunComparison.Of(scratch, [scratch]).Valid;
        RunSaving only = Assert.Single(valid.Runs);
        Assert.Equal((0.0, 0.0, 0.0), (only.FlopsSaving, only.FlopsSpeedup, only.WallSaving));
        Assert.Equal(scratch.Cost, only.ToTarget);
        Assert.InRange(valid.BaselineFirstReaching!.Value.Step, 600, 700);
    }

    [Fact]
    public void ARunThatNeverGetsThereHasNulls()
    {
        RunMetrics scratch = Run("scratch", 1000, step => 5 - (step / 1000));
        RunMetrics worse = Run("worse", 1000, step => 5 - (step / 2000));
        using JsonDocument json = JsonDocument.Parse(RunComparison.Of(scratch, [worse]).ToJson());
        Assert.Equal("scratch", json.RootElement.GetProperty("baseline").GetString());
        foreach (string kind in new[] { "train", "valid" })
        {
            JsonElement losses = json.RootElement.GetProperty(kind);
            Assert.Equal("scratch", losses.GetProperty("baseline").GetString());
            Assert.Equal(kind == "train" ? 4.005 : 5, losses.GetProperty("target_loss").GetDouble(), 9);
            JsonElement run = losses.GetProperty("runs")[1];
            Assert.Equal("worse", run.GetProperty("name").GetString());
            Assert.Equal(100_000, run.GetProperty("flops").GetDouble());
            Assert.Equal(90_000, run.GetProperty("flops_without_head").GetDouble());
            foreach (string key in new[] { "flops_to_target", "flops_saving", "flops_speedup", "seconds_to_target", "wall_saving" })
            {
                Assert.Equal(JsonValueKind.Null, run.GetProperty(key).ValueKind);
                Assert.Equal(JsonValueKind.Number, losses.GetProperty("runs")[0].GetProperty(key).ValueKind);
            }
        }
    }

    [Fact]
    public void WithoutHeldOutLossThereIsNoTarget()
    {
        RunMetrics scratch = Run("scratch", 90, step => 5 - (step / 1000));
        RunMetrics other = Run("other", 90, step => 4 - (step / 1000));
        RunComparison comparison = RunComparison.Of(scratch, [other]);
        Assert.Null(comparison.Valid.Target);
        Assert.Equal([null, null], comparison.Valid.Runs.Select(run => run.FlopsSaving));
        Assert.Contains("training loss", SavingSentence.Of(comparison), StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(comparison.ToJson());
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("valid").GetProperty("target_loss").ValueKind);
    }

    [Fact]
    public void RunsOfOneNameAreToldApartByTheirFolders()
    {
        RunMetrics scratch = Run("scratch", 100, _ => 1);
        RunMetrics[] same = [Run("a", 100, _ => 1, folder: "one/run"), Run("a", 100, _ => 1, folder: "two/run"), Run("a", 100, _ => 1, folder: "other")];
        RunComparison comparison = RunComparison.Of(scratch, same);
        Assert.Equal(["scratch", "a (one/run)", "a (two/run)", "a (other)"], comparison.Runs.Select(run => run.Name));
    }

    [Fact]
    public void SentenceAndTableSayTheSavingAndTheLoss()
    {
        RunMetrics scratch = Run("scratch", 1000, step => 5 - (step / 1000));
        RunMetrics fast = Run("fast", 1000, step => 5 - (2 * step / 1000), costPerStep: 1.25);
        RunMetrics costly = Run("costly", 1000, step => 5 - (2 * step / 1000), costPerStep: 4);
        RunMetrics worse = Run("worse", 1000, step => 5 - (step / 2000));

        Assert.Equal(
            "fast reaches the held-out loss at which scratch ends (5.000) with 6.25×10⁴ of its 1.00×10⁵ FLOPs: "
                + "37.5 % fewer FLOPs and 37.5 % less time.",
            SavingSentence.Of(RunComparison.Of(scratch, [fast, costly, worse])));
        Assert.EndsWith("100.0 % more FLOPs and 100.0 % more time.",
            SavingSentence.Of(RunComparison.Of(scratch, [costly])), StringComparison.Ordinal);
        Assert.Equal("No run reaches the held-out loss at which scratch ends (5.000).",
            SavingSentence.Of(RunComparison.Of(scratch, [worse])));
        Assert.StartsWith("scratch stands alone", SavingSentence.Of(RunComparison.Of(scratch, [])), StringComparison.Ordinal);

        ComparisonTable table = ComparisonTable.Of(RunComparison.Of(scratch, [fast, worse]).Valid);
        Assert.All(table.Rows, row => Assert.Equal(table.Columns.Count, row.Count));
        Assert.Equal(
            ["fast", "4.000", "1.25e5", "6.25e4", "37.5 %", "60.0 %", "37.5 %", "10 min 25 s", "5 min 12 s", "37.5 %"],
            table.Rows[1]);
        Assert.Equal(["worse", "5.500", "1.00e5", "not reached", "–", "–", "–", "8 min 20 s", "–", "–"], table.Rows[2]);
    }

    private RunMetrics Run(
        string name, int steps, Func<double, double> loss, double costPerStep = 1, string? folder = null) =>
        SyntheticRun.Write(Path.Combine(_folder, folder ?? name), name, steps, loss, costPerStep);
}
