using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Espalier.Configuration;
using Espalier.Growth;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Tests.Data;
using Espalier.Torch;
using Espalier.Training;

namespace Espalier.Tests.Training;

/// <summary>Tests whose dropout draws from libtorch's generator, which a process has only one of: they run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LibtorchGenerator
{
    public const string Name = "libtorch's generator";
}

/// <summary>A run that was stopped, at whatever step and however often, ends bit for bit as one that was not.</summary>
[Collection(LibtorchGenerator.Name)]
[Trait("Kind", "Slow")]
public sealed class ResumeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    public static IEnumerable<object[]> Settings =>
    [
        ["f32", Precision.F32, 0.0, MomentPolicy.Keep, DepthDraw.MicroBatch, 0L],
        ["bf16 with dropout", Precision.Bf16, 0.1, MomentPolicy.Map, DepthDraw.Update, 3L],
    ];

    /// <summary>Before the first step, around both growths (6 and 13), before, at and after a checkpoint (8), at a log row (5), at the end.</summary>
    [Theory]
    [MemberData(nameof(Settings))]
    public void OneStop(string name, Precision precision, double dropout, MomentPolicy moments, DepthDraw draw, long rewarm)
    {
        Recipe recipe = With(precision, dropout, moments, draw, rewarm);
        string whole = Whole(recipe);
        foreach (int stop in new[] { 0, 1, 5, 6, 7, 8, 9, 12, 13, 14, 23 })
        {
            string run = _folder.File($"stopped after {stop}");
            Assert.False(TinyRun.Go(run, recipe, stopAfter: stop), $"{name}: stop after {stop}");
            Assert.Equal($"step-{stop:D8}\n", File.ReadAllText(Path.Combine(run, "checkpoints", "latest")));
            Assert.True(TinyRun.Go(run, recipe));
            TinyRun.SameEnd(whole, run);
            SameRows(new MetricsTable(whole), new MetricsTable(run), stop);
        }
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void AStopAfterEveryStep(string name, Precision precision, double dropout, MomentPolicy moments, DepthDraw draw, long rewarm)
    {
        Recipe recipe = With(precision, dropout, moments, draw, rewarm);
        string whole = Whole(recipe), run = _folder.File("stopped");
        for (int stop = 1; stop < TinyRun.Steps; stop++)
        {
            Assert.False(TinyRun.Go(run, recipe, stopAfter: stop), $"{name}: stop after {stop}");
        }

        Assert.True(TinyRun.Go(run, recipe, stopAfter: TinyRun.Steps), "a stop that comes with the last step is none");
        TinyRun.SameEnd(whole, run);
        Assert.Equal(Enumerable.Range(1, TinyRun.Steps).Select(step => (long)step), new MetricsTable(run).Steps);
    }

    /// <summary>StackBERT starts its optimizer anew at a growth: the count of its updates is not the run's.</summary>
    [Fact]
    public void AnOptimizerThatWasResetGoesOnWithItsOwnCount()
    {
        Recipe recipe = (TinyRun.Recipe with
        {
            Method = new StackBertConfig { Stages = [1, 2, 4], Boundaries = [Duration.Steps(6), Duration.Steps(13)] },
        }).Resolve();
        string whole = Whole(recipe), run = _folder.File("stopped");
        Assert.False(TinyRun.Go(run, recipe, stopAfter: 15));
        Assert.All(
            TinyRun.State(TinyRun.Checkpoint(run, 15))["parameters"]!.AsObject(), parameter => Assert.Equal(2, (int)parameter.Value!["steps"]!));
        Assert.True(TinyRun.Go(run, recipe));
        TinyRun.SameEnd(whole, run);
    }

    /// <summary>The control: what a checkpoint that was read wrongly would amount to ends otherwise, so the tests above can fail.</summary>
    [Theory]
    [InlineData("as it is", true)]
    [InlineData("moments swapped", false)]
    [InlineData("one count for all", false)]
    [InlineData("schedule", false)]
    public void AStateThatIsRestoredWronglyDoesNotEndAlike(string change, bool endsAlike)
    {
        Recipe recipe = TinyRun.Recipe;
        string whole = Whole(recipe), run = _folder.File("changed"), checkpoint = TinyRun.Checkpoint(run, 9);
        Assert.False(TinyRun.Go(run, recipe, stopAfter: 9));
        JsonObject state = TinyRun.State(checkpoint);
        switch (change)
        {
            case "moments swapped":
                SwapMoments(Path.Combine(checkpoint, "optimizer.safetensors"));
                break;
            case "one count for all":
                Assert.True(state["parameters"]!.AsObject().Select(own => (int)own.Value!["steps"]!).Distinct().Count() > 1);
                foreach ((_, JsonNode? own) in state["parameters"]!.AsObject())
                {
                    own!["steps"] = 9;
                }

                break;
            case "schedule":
                state["schedule_step"] = 8;
                break;
        }

        TinyRun.Rewrite(checkpoint, state);
        Assert.True(TinyRun.Go(run, recipe));
        if (endsAlike)
        {
            TinyRun.SameEnd(whole, run);
        }
        else
        {
            Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => TinyRun.SameWeights(
                TinyRun.Checkpoint(whole, TinyRun.Steps), TinyRun.Checkpoint(run, TinyRun.Steps)));
        }
    }

    /// <summary>Every exp_avg in place of its exp_avg_sq; of a mean that is negative its size, so that it has a root.</summary>
    private static void SwapMoments(string path)
    {
        List<SafetensorsTensor> swapped = [];
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            foreach (string name in file.Names)
            {
                bool isSquare = name.EndsWith("_sq", StringComparison.Ordinal);
                float[] values = MemoryMarshal.Cast<byte, float>(file.Bytes(isSquare ? name[..^3] : name + "_sq")).ToArray();
                swapped.Add(TensorFile.Entry(name, Tensor.From<float>([.. values.Select(Math.Abs)], [.. file[name].Shape])));
            }
        }

        SafetensorsWriter.Write(path, swapped);
    }

    /// <summary>A kill leaves rows, checkpoints and partial folders of a future that did not happen.</summary>
    [Fact]
    public void WhatAKillLeftBehindIsWrittenAgain()
    {
        string whole = Whole(TinyRun.Recipe), run = _folder.File("killed");
        Assert.False(TinyRun.Go(run, TinyRun.Recipe, stopAfter: 8));
        string[] sound = File.ReadAllLines(Path.Combine(run, "metrics.csv"));
        File.AppendAllText(Path.Combine(run, "metrics.csv"), "10,960,9,,9,9,9,9,9,9,9,9,9,9\n12,115");
        string checkpoints = Path.Combine(run, "checkpoints");
        _folder.Write("killed/checkpoints/step-00000016/config.json", "of an attempt that was killed before it could be named");
        _folder.Write($"killed/checkpoints/{LeftBehind.Name()}/model.safetensors", "half");
        _folder.Write($"killed/{LeftBehind.Name()}", "step,tok");
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        TinyRun.SameEnd(whole, run);
        SameRows(new MetricsTable(whole), new MetricsTable(run), stop: 8);
        Assert.Equal(sound, File.ReadLines(Path.Combine(run, "metrics.csv")).Take(sound.Length));
        Assert.Equal(
            ["latest", "step-00000016", "step-00000024"],
            Directory.GetFileSystemEntries(checkpoints).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>Killed before its first checkpoint, a run begins anew, in the same folder.</summary>
    [Theory]
    [InlineData(".espalier-machine-123-1.partial", "name: ti")]
    [InlineData("metrics.csv", "step,tokens,train_loss")]
    public void WhatAKillLeftBeforeTheFirstCheckpointIsNoObstacle(string file, string content)
    {
        string whole = Whole(TinyRun.Recipe), run = _folder.File("killed");
        if (!file.StartsWith('.'))
        {
            using (RunDirectory.Open(run, TinyRun.Recipe))
            {
            }
        }

        _folder.Write("killed/" + file, content);
        Assert.True(TinyRun.Go(run, TinyRun.Recipe));
        TinyRun.SameEnd(whole, run);
        SameRows(new MetricsTable(whole), new MetricsTable(run), stop: 0);
    }

    private static Recipe With(Precision precision, double dropout, MomentPolicy moments, DepthDraw draw, long rewarm) =>
        TinyRun.Recipe with
        {
            Model = (Gpt2Config)TinyRun.Recipe.Model with
            {
                EmbeddingDropout = dropout,
                AttentionDropout = dropout,
                ResidualDropout = dropout,
            },
            Training = TinyRun.Recipe.Training with { Precision = precision },
            Method = TinyRun.Apollo with { Moments = moments, Draw = draw, Rewarm = Duration.Steps(rewarm) },
        };

    private string Whole(Recipe recipe)
    {
        string run = _folder.File("whole");
        Assert.True(TinyRun.Go(run, recipe));
        return run;
    }

    /// <summary>
    /// The same rows but for time. A stop within an interval adds one row, and the interval's means are then spread over
    /// two.
    /// </summary>
    private static void SameRows(MetricsTable whole, MetricsTable run, int stop)
    {
        bool adds = stop > 0 && !whole.Steps.Contains(stop);
        Assert.Equal(whole.Steps.Concat(adds ? [(long)stop] : []).Order(), run.Steps);
        long before = 0;
        foreach (string[] expected in whole.Rows)
        {
            long step = (long)MetricsTable.Number(expected, "step");
            string[] actual = run.At(step);
            Assert.Equal(MetricsTable.Cells(expected, MetricsTable.Standing), MetricsTable.Cells(actual, MetricsTable.Standing));
            if (adds && before < stop && stop < step)
            {
                string[] added = run.At(stop);
                Assert.Equal("", MetricsTable.Cell(added, "valid_loss"));
                Near.Equal(
                    [.. MetricsTable.Means.Select(mean => MetricsTable.Number(expected, mean) * (step - before))],
                    [.. MetricsTable.Means.Select(mean => (MetricsTable.Number(added, mean) * (stop - before))
                        + (MetricsTable.Number(actual, mean) * (step - stop)))],
                    1e-12);
            }
            else
            {
                Assert.Equal(MetricsTable.Cells(expected, MetricsTable.Means), MetricsTable.Cells(actual, MetricsTable.Means));
            }

            before = step;
        }
    }
}
