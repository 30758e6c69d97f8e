using System.Text.Json;
using Espalier.Configuration;
using Espalier.Data;
using Espalier.Tests.Data;
using Espalier.Tests.Reporting;
using Espalier.Tests.Training;
using Espalier.Training;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class CompareCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _scratch, _half, _worse;

    public CompareCommandTests()
    {
        (_scratch, _half, _worse) = (_folder.File("scratch"), _folder.File("half"), _folder.File("worse"));
        SyntheticRun.Write(_scratch, "from scratch", 1000, step => 5 - (step / 500));
        SyntheticRun.Write(_half, "half the cost", 1000, step => 5 - (step / 500), costPerStep: 0.5);
        SyntheticRun.Write(_worse, "worse [sic]", 1000, step => 5 - (step / 1000));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void JsonHasTheKeysThatProgramsReadAndTheirValues()
    {
        JsonElement all = JsonDocument.Parse(CommandLine.Succeed(["compare", _scratch, _half, _worse, "--json"])).RootElement;
        foreach ((string kind, double target) in new[] { ("train", 3.0), ("valid", 4.0) })
        {
            JsonElement losses = all.GetProperty(kind);
            Assert.Equal("from scratch", losses.GetProperty("baseline").GetString());
            Assert.Equal(target, losses.GetProperty("target_loss").GetDouble(), kind == "valid" ? 1e-9 : 0.03);
            JsonElement[] runs = [.. losses.GetProperty("runs").EnumerateArray()];
            Assert.Equal(["from scratch", "half the cost", "worse [sic]"], runs.Select(run => run.GetProperty("name").GetString()));
            Assert.Equal([100_000, 50_000, 100_000], runs.Select(run => run.GetProperty("flops").GetDouble()));
            Check(runs[0], 100_000, 0, 0, 500, 0);
            Check(runs[1], 50_000, 0.5, 1, 250, 0.5);
            Check(runs[2], null, null, null, null, null);
        }

        static void Check(JsonElement run, params double?[] expected)
        {
            string[] keys = ["flops_to_target", "flops_saving", "flops_speedup", "seconds_to_target", "wall_saving"];
            foreach ((string key, double? value) in keys.Zip(expected))
            {
                JsonElement given = run.GetProperty(key);
                if (value is double number)
                {
                    Assert.Equal(number, given.GetDouble(), Math.Abs(number) * 0.001);
                }
                else
                {
                    Assert.Equal(JsonValueKind.Null, given.ValueKind);
                }
            }
        }
    }

    [Fact]
    public void AnotherRunMayBeTheBaseline()
    {
        // Its trailing slash is the same folder; and one that is not among the others joins them.
        foreach (string[] runs in new[] { new[] { _scratch, _half + "/" }, [_scratch] })
        {
            JsonElement valid = JsonDocument.Parse(CommandLine.Succeed(["compare", .. runs, "--baseline", _half, "--json"]))
                .RootElement.GetProperty("valid");
            Assert.Equal("half the cost", valid.GetProperty("baseline").GetString());
            Assert.Equal(2, valid.GetProperty("runs").GetArrayLength());
            Assert.Equal(-1, valid.GetProperty("runs")[1].GetProperty("flops_saving").GetDouble(), 1e-6);
        }
    }

    [Fact]
    public void TheTableSaysWhatItMeansAndTheReportIsWritten()
    {
        string report = _folder.File("new/report.html");
        CommandLine result = CommandLine.Run(["compare", _scratch, _half, _worse, "--out", report]);
        Assert.Equal(0, result.ExitCode);
        Assert.All(
            ["Held-out loss. The target is 4.000", "Training loss. The target is 3.0", "50.0 %", "100.0 %", "not reached", "worse [sic]", "Saved = 1 - F/B"],
            text => Assert.Contains(text, result.Output, StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', result.Output);
        Assert.Contains(report, result.Error, StringComparison.Ordinal);
        Assert.EndsWith("</html>\n", File.ReadAllText(report), StringComparison.Ordinal);
    }

    [Fact]
    public void RunsOfDifferentMeasuresAreComparedWithAWarning()
    {
        const string Gpt = "model:\n  model_type: gpt2\n", Bert = "model:\n  model_type: bert\n";
        string gpt = Write("gpt", Gpt + "data:\n  path: data/bytes\n");
        string same = Write("same", Gpt + $"data:\n  path: '{Path.GetFullPath("data/bytes")}/'\n");
        string bert = Write("bert", Bert + "data:\n  path: data/pieces\n");
        foreach (string[] options in new[] { Array.Empty<string>(), ["--json"], ["--out", _folder.File("report.html")] })
        {
            CommandLine result = CommandLine.Run(["compare", gpt, same, bert, .. options]);
            Assert.Equal(0, result.ExitCode);
            Assert.Equal(
                "warning: the losses of gpt and bert cannot be compared: model.model_type is gpt2 and bert; "
                + "data.path is data/bytes and data/pieces",
                Assert.Single(result.Error.Split('\n'), line => line.StartsWith("warning: ", StringComparison.Ordinal)));
            Assert.DoesNotContain("cannot be compared", result.Output, StringComparison.Ordinal);
            Assert.Contains("bert", result.Output, StringComparison.Ordinal);
        }

        Assert.Equal("", CommandLine.Run(["compare", gpt, same, "--json"]).Error);
    }

    /// <summary>A saving against a baseline that has not ended is none yet: the table, the sentence, JSON and the report say so.</summary>
    [Fact]
    public void AnUnfinishedBaselineIsSaidEverywhere()
    {
        const string Unfinished = "unfinished: step 1000 of 2000";
        Plan(_scratch, "scratch", 2000);
        Plan(_half, "half", 1000);
        string report = _folder.File("report.html");
        CommandLine result = CommandLine.Run(["compare", _scratch, _half, "--out", report]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains($"warning: scratch is {Unfinished}", result.Error, StringComparison.Ordinal);
        Assert.Contains("unfinished:", result.Output, StringComparison.Ordinal);
        Assert.EndsWith($"But scratch is {Unfinished}.\n", result.Output, StringComparison.Ordinal);
        string html = File.ReadAllText(report);
        Assert.Contains($"Warning: scratch is {Unfinished}", html, StringComparison.Ordinal);
        Assert.Contains($"scratch ({Unfinished})</th>", html, StringComparison.Ordinal);
        JsonElement runs = JsonDocument.Parse(CommandLine.Succeed(["compare", _scratch, _half, "--json"]))
            .RootElement.GetProperty("valid").GetProperty("runs");
        Assert.Equal(Unfinished, runs[0].GetProperty("unfinished").GetString());
        Assert.Equal(JsonValueKind.Null, runs[1].GetProperty("unfinished").ValueKind);

        Plan(_scratch, "scratch", 1000);
        CommandLine ended = CommandLine.Run(["compare", _scratch, _half]);
        Assert.DoesNotContain("unfinished", ended.Output + ended.Error, StringComparison.Ordinal);

        static void Plan(string run, string name, long steps) => File.WriteAllText(
            Path.Combine(run, "recipe.yaml"),
            RecipeWriter.Write(TinyRun.Recipe with
            {
                Name = name,
                Training = TinyRun.Recipe.Training with { Length = Duration.Steps(steps) },
            }));
    }

    [Fact]
    public void TheReportCarriesTheWarnings()
    {
        string gpt = Write("gpt", "model:\n  model_type: gpt2\n"), bert = Write("bert", "model:\n  model_type: bert\n");
        string report = _folder.File("report.html");
        CommandLine result = CommandLine.Run(["compare", gpt, bert, "--out", report]);
        string warning = Assert.Single(result.Error.Split('\n'), line => line.StartsWith("warning: ", StringComparison.Ordinal));
        Assert.Contains(warning["warning: ".Length..], File.ReadAllText(report), StringComparison.Ordinal);
    }

    /// <summary>Its data may have been prepared anew in the same folder, or lie in two.</summary>
    [Fact]
    public void TokenizersAndDataAreComparedByWhatTheyHold()
    {
        string first = Write("first", $"data:\n  path: {Prepare("a")}\n");
        string second = Write("second", $"data:\n  path: {Prepare("b")}\n");
        Save(first, ByteLevelBpe.RawBytes);
        Save(second, ByteLevelBpe.RawBytes);
        Assert.Equal("", CommandLine.Run(["compare", first, second]).Error);

        Save(second, WordPiece.Characters);
        Assert.Equal(
            "warning: the losses of first and second cannot be compared: their tokenizers are not the same\n",
            CommandLine.Run(["compare", first, second]).Error);

        string Prepare(string name)
        {
            using var text = new TemporaryFolder();
            text.Write("1.txt", "one two three");
            text.Write("2.txt", "four five six");
            return CorpusPreparer.Prepare(
                Corpus.Open([text.Path]),
                _folder.File(name),
                new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFiles = ["2.txt"] }).Folder;
        }

        static void Save(string run, Tokenizer tokenizer)
        {
            string checkpoints = Path.Combine(run, "checkpoints");
            Directory.CreateDirectory(Path.Combine(checkpoints, "step-00001000"));
            File.WriteAllText(Path.Combine(checkpoints, "latest"), "step-00001000\n");
            tokenizer.Save(Path.Combine(checkpoints, "step-00001000", "tokenizer.json"));
        }
    }

    private string Write(string name, string recipe)
    {
        SyntheticRun.Write(_folder.File(name), name, 1000, step => 5 - (step / 500), recipe: recipe);
        return _folder.File(name);
    }

    [Fact]
    public void FoldersThatAreNoRunsAreNamed()
    {
        CommandLine.Fail(["compare", _folder.File("nowhere")], _folder.File("nowhere"), "espalier train");
        CommandLine.Fail(["compare", _scratch, "--baseline", _folder.Path], _folder.Path);
        File.AppendAllText(Path.Combine(_half, "metrics.csv"), "1010,x\n");
        CommandLine.Fail(["compare", _scratch, _half], "metrics.csv', line 102");
        CommandLine.Fail(["compare", _scratch, "--out", Path.Combine(_scratch, "metrics.csv", "report.html")], "report.html");
    }
}
