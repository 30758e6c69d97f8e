using System.Globalization;
using System.Text.Json.Nodes;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Cli;

/// <summary><c>espalier train</c>: what it says, and how a run begins elsewhere than at step 0.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class TrainCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ADryRunTellsAllAndWritesNothing()
    {
        string recipe = _folder.Write("tiny.yaml", RecipeWriter.Write(TinyRun.Recipe)), run = _folder.File("run");
        CommandLine result = CommandLine.Run(["train", recipe, "--run", run, "--dry-run"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Output));
        Assert.Contains("nothing was written", result.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
        CommandLine.Fail(["train", recipe, "--run", run, "--dry-run", "model.vocab_size=9"], "model.vocab_size is 9");
    }

    /// <summary>Stdout holds the rows and nothing else, number for number those of metrics.csv.</summary>
    [Fact]
    public void JsonGivesALineARow()
    {
        string recipe = _folder.Write("tiny.yaml", RecipeWriter.Write(TinyRun.Recipe)), run = _folder.File("run");
        JsonObject[] rows = [.. CommandLine.Succeed(["train", recipe, "--run", run, "--json"]).TrimEnd('\n').Split('\n')
            .Select(line => JsonNode.Parse(line)!.AsObject())];
        string[][] table = [.. File.ReadAllLines(Path.Combine(run, "metrics.csv")).Select(line => line.Split(','))];
        Assert.Equal(table.Length - 1, rows.Length);
        for (int i = 0; i < rows.Length; i++)
        {
            Assert.Equal(
                table[0].Zip(table[i + 1]).Where(cell => cell.Second.Length > 0).Select(cell => (cell.First, double.Parse(cell.Second, CultureInfo.InvariantCulture))),
                rows[i].Select(pair => (pair.Key, (double)pair.Value!)));
        }
    }

    [Fact]
    public void ABranchBeginsAndGoesOnByOneCommand()
    {
        string recipe = _folder.Write("tiny.yaml", RecipeWriter.Write(TinyRun.Recipe));
        string trunk = _folder.File("trunk"), branch = _folder.File("branch"), straight = _folder.File("straight");
        string[] keys = ["learning_rate.schedule=wsd", "learning_rate.warmup=2 steps"];
        string[] shorter = [.. keys, "training.length=20 steps", "learning_rate.decay=6 steps"];
        CommandLine.Succeed(["train", recipe, "--run", trunk, .. keys, "checkpoint.at=[14 steps]"]);
        CommandLine.Succeed(["train", recipe, "--run", straight, .. shorter]);
        string[] command = ["train", recipe, "--run", branch, "--from", $"{trunk}@14", .. shorter];
        CommandLine result = CommandLine.Run(command);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("step=14", result.Error, StringComparison.Ordinal);
        Assert.Contains($"checkpoint={TinyRun.Checkpoint(branch, 20)}", result.Error, StringComparison.Ordinal);
        TinyRun.SameEnd(straight, branch, 20);
        Assert.Equal($"{branch} is finished: 20 steps\n", CommandLine.Run(command).Error);
        CommandLine.Fail(["train", recipe, "--run", branch, "--from", $"{trunk}@16", .. shorter], $"from {trunk}@14, and not from {trunk}@16", "--from");
    }
}
