using System.Globalization;
using System.Text.Json;
using Espalier.Experiments;
using Espalier.Tests.Data;

namespace Espalier.Tests.Experiments;

/// <summary>
/// Whole experiments, read from folders of runs that are made up, against what tests/tools/make_experiment_golden.py makes of the same
/// runs: choice of rates, intervals, paired differences, envelope and savings.
/// </summary>
public sealed class ExperimentGoldenTests : IDisposable
{
    private const string Arms = """
        arms:
          1 layer: {model.n_layer: 1}
          2 layers: {model.n_layer: 2}
          4 layers: {}
          early: {method: {name: progressive, stages: [1, 4], boundaries: [25 %]}}
          late: {method: {name: progressive, stages: [1, 4], boundaries: [50 %]}}
        """;

    private static readonly JsonElement Golden = JsonDocument.Parse(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", "experiments.json"))).RootElement;

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Cases =>
        [.. Golden.GetProperty("cases").EnumerateArray().Select(item => item.GetProperty("what").GetString()!)];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void ItIsThatOfTheIndependentComputation(string what)
    {
        JsonElement item = Golden.GetProperty("cases").EnumerateArray().Single(item => item.GetProperty("what").GetString() == what);
        JsonElement result = JsonDocument.Parse(ResultOf(item).ToJson()).RootElement;

        JsonElement[] arms = [.. result.GetProperty("arms").EnumerateArray()], expectedArms = [.. item.GetProperty("arms").EnumerateArray()];
        Assert.Equal(expectedArms.Length, arms.Length);
        foreach (var (expected, arm) in expectedArms.Zip(arms))
        {
            Assert.Equal(expected.GetProperty("arm").GetString(), arm.GetProperty("arm").GetString());
            Assert.Equal(expected.GetProperty("grown").GetBoolean(), !arm.GetProperty("is_never_grown").GetBoolean());
            Near(expected, arm, "budget", "learning_rate", "loss", "loss_half_width", "flops", "flops_without_head", "seconds");
            foreach (JsonElement rate in arm.GetProperty("sweep").EnumerateArray())
            {
                JsonProperty same = expected.GetProperty("sweep").EnumerateObject().Single(
                    other => double.Parse(other.Name, CultureInfo.InvariantCulture) == rate.GetProperty("learning_rate").GetDouble());
                Near(same.Value, rate.GetProperty("loss"), "the sweep");
            }
        }

        JsonElement[] verdicts = [.. result.GetProperty("verdicts").EnumerateArray()];
        JsonElement[] expectedVerdicts = [.. item.GetProperty("verdicts").EnumerateArray()];
        Assert.Equal(expectedVerdicts.Length, verdicts.Length);
        foreach (var (expected, verdict) in expectedVerdicts.Zip(verdicts))
        {
            Assert.All(["arm", "rival", "outcome"], key => Assert.Equal(expected.GetProperty(key).GetString(), verdict.GetProperty(key).GetString()));
            Near(expected, verdict, "budget", "difference", "difference_half_width", "runs_to_decide");
            Near(expected.GetProperty("target_saving"), verdict.GetProperty("saving_against_target"), "target_saving");
            Near(expected.GetProperty("target_speedup"), verdict.GetProperty("speedup_against_target"), "target_speedup");
            JsonElement range = expected.GetProperty("envelope_saving"), saving = verdict.GetProperty("saving_against_envelope");
            if (range[1].ValueKind == JsonValueKind.Null)
            {
                Assert.Equal(JsonValueKind.Null, saving.ValueKind);
                continue;
            }

            Near(range[0], saving.GetProperty("low"), "low");
            Near(range[1], saving.GetProperty("mean"), "mean");
            Near(range[2], saving.GetProperty("high"), "high");
        }
    }

    private ExperimentResult ResultOf(JsonElement item)
    {
        string pool = _folder.File("runs");
        var grid = new ExperimentGrid(ExperimentFile.Read(TinyExperiment.Write(
            _folder, Arms, "target: 4 layers\nsweep_seeds: 2", item.GetProperty("budgets").GetRawText(), item.GetProperty("seeds").GetRawText())));
        foreach (JsonElement run in item.GetProperty("runs").EnumerateArray())
        {
            ExperimentRun made = grid.Run(
                grid.Arms.Single(arm => arm.Name == run.GetProperty("arm").GetString()), run.GetProperty("budget").GetDouble(),
                run.GetProperty("rate").GetDouble(), run.GetProperty("seed").GetUInt64());
            MadeUpRun.Write(
                made, pool, run.GetProperty("seconds").GetRawText(),
                (run.GetProperty("loss").GetRawText(), string.Join(',', run.GetProperty("flops").EnumerateArray().Select(part => part.GetRawText()))));
        }

        return new ExperimentResult(grid, new ExperimentRunner(grid, pool));
    }

    private static void Near(JsonElement expected, JsonElement actual, params string[] keys) =>
        Assert.All(keys, key => Near(expected.GetProperty(key), actual.GetProperty(key), key));

    private static void Near(JsonElement expected, JsonElement actual, string what)
    {
        Assert.True(expected.ValueKind == actual.ValueKind, $"{what}: {expected} and {actual}");
        if (expected.ValueKind == JsonValueKind.Number)
        {
            double value = expected.GetDouble();
            Assert.True(Math.Abs(value - actual.GetDouble()) <= 1e-9 * Math.Max(1, Math.Abs(value)), $"{what}: {value} and {actual}");
        }
    }
}
