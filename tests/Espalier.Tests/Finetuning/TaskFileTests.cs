using Espalier.Configuration;
using Espalier.Evaluation;
using Espalier.Finetuning;
using Espalier.Tests.Data;

namespace Espalier.Tests.Finetuning;

public sealed class TaskFileTests
{
    private static readonly string Tasks = Path.Combine(RepositoryRoot.Find(), "recipes", "tasks");

    public static TheoryData<string> Names => [.. Directory.EnumerateFiles(Tasks, "*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryTaskOfTheRepositoryIsRight(string name)
    {
        TaskConfig task = TaskFile.Read(Path.Combine(Tasks, name + ".yaml"));
        Assert.Equal(name, task.Name);
        Assert.StartsWith("https://", task.Source, StringComparison.Ordinal);
        Assert.NotNull(task.Licence);
        Assert.Equal(3, task.Training.Seeds.Length);
    }

    [Fact]
    public void TheFirstTaskShowsEveryKey()
    {
        string yaml = File.ReadAllText(Path.Combine(Tasks, "sst2.yaml"));
        Assert.All(
            ConfigKeys.Flatten(TaskFile.Read(Path.Combine(Tasks, "sst2.yaml"))),
            leaf => Assert.Matches($@"(?m)^ *{leaf.Key.Split('.')[^1]}: ", yaml));
    }

    /// <summary>GLUE's own layouts, and the STS Benchmark's.</summary>
    [Theory]
    [InlineData("cola", "train.tsv", "gj04\t0\t*\tThey drank the pub.\n", "They drank the pub.", null, 0)]
    [InlineData("sst2", "train.tsv", "sentence\tlabel\nhide new secretions \t0\n", "hide new secretions ", null, 0)]
    [InlineData("mrpc", "train.tsv", "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\tHe said \"no\".\tHe refused.\n", "He said \"no\".", "He refused.", 1)]
    [InlineData("rte", "train.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tnot_entailment\n", "A.", "B.", 1)]
    [InlineData("qnli", "train.tsv", "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n", "Who?", "He.", 0)]
    [InlineData("stsb", "train.tsv", "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n0\tg\tf\t2012\t1\tn\tn\tA.\tB.\t4.75\n", "A.", "B.", 4.75)]
    [InlineData(
        "stsb", "sts-train.csv", "g\tf\t2012\t0001\t5.000\tA \"plane\".\tAn air plane.\ng\tf\t2012\t2\t3.8\tA.\tB.\tx\ty\n", "A \"plane\".", "An air plane.", 5.0,
        "data.train=sts-train.csv", "data.format=tsv", "data.header=false", "data.extra_columns=true", "data.text=6", "data.text_pair=7", "data.label=5")]
    public void LayoutsAreRead(string name, string file, string content, string text, string? pair, double label, params string[] overrides)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write(file, content);
        TaskConfig task = TaskFile.Read(Path.Combine(Tasks, name + ".yaml"), overrides);
        Assert.Equal(new TaskExample(text, pair, label), new TaskExamples(task, folder.Path).Labelled(path)[0]);
    }

    /// <summary>Without labels GLUE's files have other columns, and CoLA's a header.</summary>
    [Theory]
    [InlineData("cola", "index\tsentence\n0\tBill whistled.\n", "Bill whistled.", null)]
    [InlineData("sst2", "index\tsentence\n0\tuneasy mishmash .\n", "uneasy mishmash .", null)]
    [InlineData("mrpc", "\ufeffindex\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n0\t7\t8\tHe \"said\tHe refused.\r\n", "He \"said", "He refused.")]
    [InlineData("rte", "index\tsentence1\tsentence2\n0\tA.\tB.\n", "A.", "B.")]
    [InlineData("qnli", "index\tquestion\tsentence\n0\tWho?\tHe.\n", "Who?", "He.")]
    [InlineData("stsb", "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\n0\tg\tf\t2012\t1\tn\tn\tA.\tB.\n", "A.", "B.")]
    public void LayoutsWithoutLabelsAreRead(string name, string content, string text, string? pair)
    {
        using var folder = new TemporaryFolder();
        TaskConfig task = TaskFile.Read(Path.Combine(Tasks, name + ".yaml"));
        string path = folder.Write(task.Data.Test!, content);
        Assert.Equal(new TaskExample(text, pair, 0), Assert.Single(new TaskExamples(task, folder.Path).Unlabelled(path)));
    }

    [Fact]
    public void JsonLinesTakeNumbersAndText()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("train.jsonl", "{\"a\": \"x\", \"b\": 1}\n\n{\"b\": \"0\", \"a\": \"y\", \"c\": null}\n");
        TaskConfig task = TaskFile.Parse(
            "{data: {train: train.jsonl, validation: v.jsonl, text: a, label: b}, labels: ['0', '1'], metrics: [f1]}", "mine.yaml");
        Assert.Equal("mine", task.Name);
        Assert.Equal([MetricKind.F1], task.Metrics);
        Assert.Equal([new TaskExample("x", null, 1), new TaskExample("y", null, 0)], new TaskExamples(task, folder.Path).Labelled(path));
    }

    /// <summary>A column named wrongly gives empty texts or numbers, and a model would learn from them without a word.</summary>
    [Theory]
    [InlineData("t.tsv", "a\tb\tc\nx\ty\t1\n\ty\t1\n", "t.tsv:3: `a` is empty")]
    [InlineData("t.tsv", "a\tb\tc\nx\t \t1\n", "t.tsv:2: `b` is empty")]
    [InlineData("t.csv", "a,b,c\n\"x\ny\",z,1\n\"\",y,1\n", "t.csv:4: `a` is empty")]
    [InlineData("t.jsonl", "{\"a\": \"x\", \"b\": \"\", \"c\": 1}\n", "t.jsonl:1: `b` is empty")]
    [InlineData("t.jsonl", "{\"a\": 5, \"b\": \"y\", \"c\": 1}\n", "t.jsonl:1: \"a\" is no text: 5")]
    [InlineData("t.jsonl", "\n{\"a\": \"x\", \"b\": null, \"c\": 1}\n", "t.jsonl:2: \"b\" is no text: null")]
    [InlineData("t.jsonl", "{\"a\": \"x\", \"b\": \"y\", \"c\": [1]}\n", "t.jsonl:1: \"c\" is neither text nor a number")]
    public void ATextMustBeText(string file, string content, string says)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write(file, content);
        var examples = new TaskExamples(
            TaskFile.Parse(
                "{data: {train: t, validation: v, text: a, text_pair: b, label: c}, labels: ['0', '1'], metrics: [f1]}", "mine.yaml"),
            folder.Path);
        Assert.Contains(says, Assert.Throws<UserErrorException>(() => examples.Labelled(path)).Message, StringComparison.Ordinal);
        if (!says.Contains("\"c\"", StringComparison.Ordinal))
        {
            Assert.Throws<UserErrorException>(() => examples.Unlabelled(path));
        }
    }
}
