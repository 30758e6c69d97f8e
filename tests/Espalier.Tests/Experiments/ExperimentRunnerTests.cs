using System.Text.Json.Nodes;
using Espalier.Experiments;
using Espalier.Reporting;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests.Experiments;

public sealed class ExperimentRunnerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Pool => _folder.File("runs");

    private ExperimentGrid Grid(string arms = TinyExperiment.Arms, string more = "target: 4 layers", string budgets = "[3e7, 6e7]") =>
        new(ExperimentFile.Read(TinyExperiment.Write(_folder, arms, more, budgets)));

    /// <summary>However often it is stopped, every run is made once, and the result is that of an experiment left alone.</summary>
    [Fact]
    public async Task StoppedAndStartedAgainItMakesEveryRunOnce()
    {
        ExperimentGrid grid = Grid();
        int ends = 0, rounds = 0;
        bool isOver = false;
        while (!isOver)
        {
            Assert.True(++rounds < 100);
            using var stop = new CancellationTokenSource();
            var runner = new ExperimentRunner(grid, Pool);
            int begun = 0;
            isOver = await runner.Run(
                async (run, folder, from, token) =>
                {
                    if (++begun == 3)
                    {
                        await stop.CancelAsync();
                    }

                    await TinyExperiment.Launch(run, folder, from, token);
                    ends += run.ResultIn(Pool) is null ? 0 : 1;
                    return null;
                },
                parallel: 1, null, stop.Token);
        }

        // Two budgets: sweeps of 2 + 1 + 2 runs, and one other seed of each arm.
        Assert.Equal(2 * 8, ends);
        Assert.Equal(2 * 8, Directory.GetDirectories(Pool).Length);
        Assert.True(rounds > 4);
        var done = new ExperimentRunner(grid, Pool);
        Assert.Equal((16, 16), (done.Progress.Finished, done.Progress.Wanted));
        Assert.True(await done.Run((_, _, _, _) => throw new InvalidOperationException("nothing is left"), 1));

        var result = new ExperimentResult(grid, done);
        Assert.Equal(6, result.Arms.Count);
        Assert.Equal(2, result.Verdicts.Count);
        foreach (ArmResult arm in result.Arms)
        {
            Assert.Equal([1UL, 2UL], arm.Runs.Select(run => run.Run.Seed));
            Assert.Equal(arm.Sweep.MinBy(rate => rate.Loss)!.LearningRate, arm.BestRate);
            Assert.Equal(arm.Sweep.Min(rate => rate.Loss), arm.Runs[0].Loss);
        }

        foreach (Verdict verdict in result.Verdicts)
        {
            Assert.Equal(
                verdict.Arm.Runs.Zip(verdict.Rival.Runs, (mine, theirs) => mine.Loss - theirs.Loss).Average(), verdict.Difference.Mean, 12);
            Assert.True(verdict.Rival.Arm.IsNeverGrown);
            Assert.Equal(
                verdict.Rival.Loss.Mean,
                result.Arms.Where(arm => arm.Arm.IsNeverGrown && arm.Budget == verdict.Arm.Budget).Min(arm => arm.Loss.Mean));
        }

        ExperimentPage.Write(_folder.File("page"), result);
        string page = File.ReadAllText(_folder.File("page/report.html"));
        Assert.All(result.Verdicts, verdict => Assert.Contains(verdict.Arm.Arm.Name + " ", page, StringComparison.Ordinal));
        JsonNode json = JsonNode.Parse(File.ReadAllText(_folder.File("page/result.json")))!;
        Assert.Equal(6, json["arms"]!.AsArray().Count);
        foreach (string picture in new[] { "loss", "time" })
        {
            Assert.StartsWith("<svg", File.ReadAllText(_folder.File($"page/{picture}.svg")), StringComparison.Ordinal);

            // The last number is where the last arm ends.
            string[] numbers = File.ReadAllLines(_folder.File($"page/{picture}.csv"));
            ArmResult last = result.Arms[^1];
            Assert.EndsWith(last.Runs[0].Loss.ToString("R", System.Globalization.CultureInfo.InvariantCulture), numbers[^1], StringComparison.Ordinal);
            Assert.StartsWith(last.Arm.Name + ",", numbers[^1], StringComparison.Ordinal);
        }
    }

    /// <summary>
    /// Of one arm, rate and seed the larger budgets go on from the stable phase of the smaller, to the very losses that each has alone,
    /// and are charged for the whole way.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task BudgetsShareTheStablePhaseOfTheirRuns(int parallel)
    {
        const string Arms = """
            arms:
              1 layer: {model.n_layer: 1}
              4 layers: {model.n_layer: 4}
              early: {model.n_layer: 4, method: {name: progressive, stages: [1, 4], boundaries: [3 steps]}}
              by share: {model.n_layer: 4, method: {name: progressive, stages: [1, 4], boundaries: [30 %]}}
            """;
        const string Schedule = "training.gradient_accumulation: 1, learning_rate: {schedule: wsd, warmup: 2 steps, decay: 50 %}";
        string file = TinyExperiment.Write(_folder, Arms, budgets: "[1.2e8, 2.4e8]");
        File.WriteAllText(file, File.ReadAllText(file).Replace("training.gradient_accumulation: 1", Schedule, StringComparison.Ordinal));
        var grid = new ExperimentGrid(ExperimentFile.Read(file));
        var runner = new ExperimentRunner(grid, Pool);
        Dictionary<string, string?> origins = [];
        Assert.True(await runner.Run(
            (run, folder, from, stop) =>
            {
                origins.Add(run.Key, from);
                return TinyExperiment.Launch(run, folder, from, stop);
            },
            parallel));

        int shared = 0;
        foreach (ExperimentRun run in runner.Needed)
        {
            FinishedRun result = runner.Result(run)!;
            Assert.Equal(run.ExpectedFlops, result.Cost.Flops, run.ExpectedFlops * 1e-9);
            bool hasTrunk = run.Budget > 1.2e8 && run.Arm != "by share" && runner.Needed.Any(other =>
                other.Arm == run.Arm && other.Budget < run.Budget && other.LearningRate == run.LearningRate && other.Seed == run.Seed);
            Assert.Equal(hasTrunk, origins[run.Key] is not null);
            Assert.Equal(hasTrunk, result.SharedFlops > 0);
            if (hasTrunk)
            {
                shared++;
                Assert.InRange(result.SharedFlops / result.Cost.Flops, 0.05, 0.3);
                string alone = _folder.File("alone-" + run.Key);
                TrainingRun.Run(run.Recipe, alone);
                Assert.Equal(RunMetrics.Load(alone).Rows[^1].ValidLoss, result.Loss);
            }
        }

        Assert.InRange(shared, 6, 100);
        var experiment = new ExperimentResult(grid, runner);
        Assert.Equal(2 * 2, experiment.Limits.Count);
        Assert.All(experiment.Limits, limit =>
        {
            Assert.Equal(("1 layer", "4 layers"), (limit.Small.Arm.Name, limit.Large.Arm.Name));
            Assert.InRange(limit.Ceiling, 0, 1);
        });
        Assert.Equal("Nothing is left to do.", new ExperimentTime(grid, runner).Estimate(1));
        Assert.EndsWith("by a few updates of each arm here.", new ExperimentTime(grid, new ExperimentRunner(grid, _folder.File("none"))).Estimate(1), StringComparison.Ordinal);
        double saved = runner.Needed.Sum(run => runner.Result(run)!.SharedFlops);
        Assert.Equal(experiment.CountedFlops - saved, experiment.Progress.SpentFlops, experiment.CountedFlops * 1e-9);
        Assert.Equal(experiment.Progress.SpentFlops, experiment.Progress.WantedFlops, experiment.CountedFlops * 1e-9);
    }

    /// <summary>A failed run is told, its rate is not the best, and the others go on.</summary>
    [Fact]
    public async Task AFailedRunStopsNoOther()
    {
        ExperimentGrid grid = Grid(budgets: "[3e7]");
        var runner = new ExperimentRunner(grid, Pool);
        bool isOver = await runner.Run(
            (run, folder, from, stop) => run is { Arm: "1 layer", LearningRate: 1e-2 }
                ? Task.FromResult<string?>("it broke") : TinyExperiment.Launch(run, folder, from, stop),
            parallel: 2);
        Assert.True(isOver);
        FailedRun failed = Assert.Single(runner.Failed);
        Assert.Equal("it broke", failed.Reason);

        var result = new ExperimentResult(grid, runner);
        Assert.Equal(5e-3, result.Arms.Single(arm => arm.Arm.Name == "1 layer").BestRate);
        Assert.Contains(result.Warnings(), warning => warning.Contains("it broke", StringComparison.Ordinal));
        Assert.All(result.Arms, arm => Assert.Equal(2, arm.Runs.Count));
    }

    /// <summary>Another experiment with the same pool finds the runs that both have.</summary>
    [Fact]
    public async Task ExperimentsShareTheirRuns()
    {
        ExperimentGrid first = Grid("arms: {shallow: {model.n_layer: 1}}", more: "", budgets: "[3e7]");
        Assert.True(await new ExperimentRunner(first, Pool).Run(TinyExperiment.Launch, 1));
        List<string> made = [];
        ExperimentGrid second = Grid(budgets: "[3e7]");
        Assert.True(await new ExperimentRunner(second, Pool).Run(
            (run, folder, from, stop) =>
            {
                made.Add(run.Arm);
                return TinyExperiment.Launch(run, folder, from, stop);
            },
            1));
        Assert.DoesNotContain("1 layer", made);
        Assert.Equal(5, made.Count);
    }
}
