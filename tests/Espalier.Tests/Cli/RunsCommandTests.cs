using System.Text.Json.Nodes;
using Espalier.Tests.Data;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Cli;

/// <summary><c>espalier runs</c> and <c>espalier watch</c>.</summary>
[Collection(ConsoleCollection.Name)]
public sealed class RunsCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryRunIsListedWithHowFarItIs()
    {
        string root = _folder.File("runs");
        Assert.True(TinyRun.Go(Path.Combine(root, "a", "whole"), TinyRun.Recipe));
        using (var stop = new CancellationTokenSource())
        {
            TrainingRun.Run(TinyRun.Recipe, Path.Combine(root, "b"), progress => Stop(progress.Step), stop.Token);

            void Stop(long step)
            {
                if (step == 8)
                {
                    stop.Cancel();
                }
            }
        }

        Assert.False(TinyRun.Go(Path.Combine(root, "c"), TinyRun.Recipe, stopAfter: 8));
        _folder.Write("runs/d/metrics.csv", "nonsense");
        _folder.Write("runs/other/notes.txt", "no run");
        Directory.CreateSymbolicLink(Path.Combine(root, "circle"), root);

        JsonArray runs;
        using (RunDirectory.Open(Path.Combine(root, "c"), TinyRun.Recipe))
        {
            runs = JsonNode.Parse(CommandLine.Succeed(["runs", root, "--json"]))!.AsArray();
        }

        Assert.Equal(
            ["whole finished 24/24", "b stopped 8/24", "c running 8/24", "d interrupted 0/"],
            runs.Select(run => $"{Path.GetFileName((string)run!["folder"]!)} {run["state"]} {run["step"]}/{run["steps"]}"));
        Assert.Equal(("gpt2", TinyRun.Recipe.Method.Name), ((string)runs[0]!["model"]!, (string)runs[0]!["method"]!));
        Assert.NotNull(runs[2]!["seconds_left"]);
        Assert.Null(runs[1]!["seconds_left"]);

        // Nothing goes on any more: the watch ends by itself, and shows what the list shows.
        string table = CommandLine.Succeed(["runs", root]);
        Assert.Contains("24/24", table, StringComparison.Ordinal);
        Assert.Equal(table, CommandLine.Succeed(["watch", root]));
    }

    [Fact]
    public void MistakesAreNamed()
    {
        CommandLine.Fail(["runs", _folder.File("none")], "none is no folder");
        CommandLine.Fail(["watch", _folder.Path, "--every", "0"], "--every must be from 0.1");
        Assert.Contains("no runs", CommandLine.Succeed(["runs", _folder.Path]), StringComparison.Ordinal);
    }
}
