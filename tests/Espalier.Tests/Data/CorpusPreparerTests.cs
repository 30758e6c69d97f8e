using Espalier.Data;

namespace Espalier.Tests.Data;

public sealed class CorpusPreparerTests : IDisposable
{
    private static readonly PreparationOptions Bytes = new() { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFraction = 0.25 };

    private readonly TemporaryFolder _folder = new();

    private string Out => _folder.File("out");

    public void Dispose() => _folder.Dispose();

    private Corpus Speeches(int count = 40)
    {
        for (int year = 1980; year < 1980 + count; year++)
        {
            _folder.Write($"text/{year}_president.txt", $"Speech of {year}.\nWörter  und words.\n");
        }

        return Corpus.Open([_folder.File("text")]);
    }

    private static string Text(TokenShard shard, Tokenizer tokenizer)
    {
        using (shard)
        {
            var tokens = new long[shard.Count];
            shard.CopyTo(0, tokens);
            return tokenizer.Decode([.. tokens.Select(token => (int)token)]);
        }
    }

    [Fact]
    public void FilesNamedAreHeldOut()
    {
        Dataset dataset = CorpusPreparer.Prepare(Speeches(), Out, Bytes with { HeldOutFiles = ["20*.txt"] });
        const string Speech = "<|endoftext|>Speech of {0}.\nWörter  und words.\n";
        Tokenizer tokenizer = dataset.LoadTokenizer();
        Assert.Equal(
            string.Concat(Enumerable.Range(2000, 20).Select(year => Speech.Replace("{0}", $"{year}", StringComparison.Ordinal))),
            Text(dataset.OpenValid(), tokenizer));
        Assert.Equal(
            string.Concat(Enumerable.Range(1980, 20).Select(year => Speech.Replace("{0}", $"{year}", StringComparison.Ordinal))),
            Text(dataset.OpenTrain(), tokenizer));

        // 36 bytes and 6 words a speech.
        Assert.Equal(new DatasetPart(20, 20 * 37, 20 * 36, 20 * 6), dataset.Train);
        Assert.Equal(dataset.Train, dataset.Valid);
        Assert.Equal(40, dataset.Sources.Count);
        Assert.Equal(257, dataset.VocabularySize);
        Dataset read = Dataset.Open(Out);
        Assert.Equal(dataset with { Sources = read.Sources }, read);
        Assert.Equal(dataset.Sources, read.Sources);
        Assert.Equal(["dataset.json", "tokenizer.json", "tokenizer_config.json", "train.shard", "valid.shard"], FilesOf(Out));
    }

    [Fact]
    public void AShareOfTheDocumentsIsHeldOut()
    {
        _folder.Write("a.jsonl", string.Concat(Enumerable.Range(0, 2000).Select(i => $"{{\"text\":\"document {i}\"}}\n")));
        var corpus = Corpus.Open([_folder.File("a.jsonl")]);
        Dataset dataset = CorpusPreparer.Prepare(corpus, Out, Bytes);
        Assert.InRange(dataset.Valid.Documents, 430, 570);
        Assert.Equal(2000, dataset.Train.Documents + dataset.Valid.Documents);

        string[] train = Documents(dataset.OpenTrain()), valid = Documents(dataset.OpenValid());
        Assert.Equal(2000, train.Concat(valid).Distinct().Count());
        Dataset other = CorpusPreparer.Prepare(corpus, _folder.File("other"), Bytes with { Seed = 43 });
        Assert.NotEqual(valid, Documents(other.OpenValid()));

        static string[] Documents(TokenShard shard) =>
            Text(shard, ByteLevelBpe.RawBytes).Split("<|endoftext|>", StringSplitOptions.RemoveEmptyEntries);
    }

    [Fact]
    public void TheEndOfAnOnlyDocumentIsHeldOut()
    {
        _folder.Write("one.txt", string.Concat(Enumerable.Range(0, 100).Select(i => $"line {i:00}\n")));
        Dataset dataset = CorpusPreparer.Prepare(Corpus.Open([_folder.File("one.txt")]), Out, Bytes);
        Assert.Equal((75 + 1) * 8, dataset.Train.Bytes);
        Assert.StartsWith("<|endoftext|>line 76\n", Text(dataset.OpenValid(), ByteLevelBpe.RawBytes), StringComparison.Ordinal);

        _folder.Write("two.txt", string.Concat(Enumerable.Repeat("é", 101)));
        dataset = CorpusPreparer.Prepare(Corpus.Open([_folder.File("two.txt")]), _folder.File("two"), Bytes);
        Assert.Equal((150, 52), (dataset.Train.Bytes, dataset.Valid.Bytes));
    }

    [Fact]
    public void ATrainedVocabularySeesNoHeldOutText()
    {
        Corpus corpus = Speeches();
        var options = new PreparationOptions { Training = new VocabularyTraining(290), HeldOutFiles = ["20*.txt"] };
        Dataset dataset = CorpusPreparer.Prepare(corpus, Out, options);
        ByteLevelBpe expected = BpeTrainer.Train(
            corpus.Documents().Where(document => document.FileName.StartsWith("19", StringComparison.Ordinal)), 290);
        Assert.Equal(expected.Fingerprint, dataset.LoadTokenizer().Fingerprint);
        Assert.Equal(290, dataset.VocabularySize);
    }

    [Fact]
    public void TheSameInputsArePreparedOnce()
    {
        Corpus corpus = Speeches();
        var activities = new HashSet<string>();
        PreparationOptions options = Bytes with { HeldOutFiles = ["20*.txt"] };
        Dataset first = CorpusPreparer.Prepare(corpus, Out, options, progress => activities.Add(progress.Activity));
        Assert.Equal(["reading", "tokenizing"], activities);
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(Out, "train.shard"));

        activities.Clear();
        Dataset second = CorpusPreparer.Prepare(corpus, Out, options, progress => activities.Add(progress.Activity));
        Assert.Equal(["reading"], activities);
        Assert.Equal(first.Inputs, second.Inputs);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(Out, "train.shard")));

        RequireError(Out, () => CorpusPreparer.Prepare(corpus, Out, options with { HeldOutFiles = ["199*"] }));
        _folder.Write("text/1980_president.txt", "Speech of 1980.\nWörter  und wordS.\n");
        RequireError(Out, () => CorpusPreparer.Prepare(corpus, Out, options));
    }

    [Fact]
    public void TheResultDoesNotDependOnTheRun()
    {
        Corpus corpus = Corpus.Open([_folder.Write("a.jsonl", string.Concat(Enumerable.Range(0, 15_000).Select(
            i => $"{{\"text\":\"document {i} of quite some length, so that there is more than one batch of them {i * 7919}\"}}\n")))]);
        var options = new PreparationOptions { Training = new VocabularyTraining(400), HeldOutFraction = 0.1 };
        CorpusPreparer.Prepare(corpus, _folder.File("x"), options);
        CorpusPreparer.Prepare(corpus, _folder.File("y"), options);
        foreach (string file in FilesOf(_folder.File("x")))
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder.File("x"), file)), File.ReadAllBytes(Path.Combine(_folder.File("y"), file)));
        }
    }

    [Fact]
    public void AnInterruptedPreparationLeavesNothing()
    {
        Corpus corpus = Speeches();
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => CorpusPreparer.Prepare(
            corpus, Out, Bytes, progress => cancellation.Cancel(), cancellation.Token));

        // What a killed run leaves does not hinder the next.
        _folder.Write($"{LeftBehind.Name()}/train.shard", "rubbish");
        _folder.Write("text/9999.txt", [0xFF]);
        RequireError("9999.txt", () => CorpusPreparer.Prepare(Corpus.Open([_folder.File("text")]), Out, Bytes));
        Assert.Equal([_folder.File("text")], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Equal(40, CorpusPreparer.Prepare(corpus, Out, Bytes).Sources.Count);
    }

    /// <summary>Folders of names that look temporary may be somebody's work.</summary>
    [Fact]
    public void NeighboursStayAsTheyAre()
    {
        string[] neighbours =
        [
            "out.partial", ".partial-out", ".out.partial", ".espalier", ".espalier-mine.partial",
            LeftBehind.Name(machine: "elsewhere"), LeftBehind.Name(process: Environment.ProcessId),
        ];
        foreach (string neighbour in neighbours)
        {
            _folder.Write(neighbour + "/thesis.txt", "mine");
        }

        _folder.Write(LeftBehind.Name() + "/train.shard", "rubbish");
        CorpusPreparer.Prepare(Speeches(), Out, Bytes);
        Assert.Equal(
            neighbours.Append("out").Append("text").Order(StringComparer.Ordinal), FilesOf(_folder.Path));
        Assert.All(neighbours, neighbour => Assert.Equal("mine", File.ReadAllText(_folder.File(neighbour + "/thesis.txt"))));
    }

    /// <summary>Two at once to one folder: the work is done once.</summary>
    [Fact]
    public async Task WhoPreparesTheSameFolderMeanwhileWaits()
    {
        Corpus corpus = Speeches();
        using var begun = new ManualResetEventSlim();
        using var secondWaits = new ManualResetEventSlim();
        var activities = new List<string>();
        Task<Dataset> first = Task.Run(() => CorpusPreparer.Prepare(corpus, Out, Bytes, progress =>
        {
            if (progress.Activity == "tokenizing")
            {
                begun.Set();
                secondWaits.Wait(TimeSpan.FromSeconds(60));
            }
        }));
        Assert.True(begun.Wait(TimeSpan.FromSeconds(60)));
        Dataset second = CorpusPreparer.Prepare(corpus, Out, Bytes, progress =>
        {
            activities.Add(progress.Activity);
            if (progress.Activity.StartsWith("waiting", StringComparison.Ordinal))
            {
                secondWaits.Set();
            }
        });
        Assert.Equal((await first).Inputs, second.Inputs);
        Assert.Equal(["reading", $"waiting for another process, which prepares {Out}"], activities.Distinct());
        Assert.Equal(["out", "text"], FilesOf(_folder.Path));

        // Of other inputs, the second is told so.
        RequireError(Out, () => CorpusPreparer.Prepare(corpus, Out, Bytes with { Seed = 9 }));
    }

    [Fact]
    public void DamagedDatasetsAreNamed()
    {
        Corpus corpus = Speeches();
        CorpusPreparer.Prepare(corpus, Out, Bytes);
        string shard = Path.Combine(Out, "train.shard");
        File.WriteAllBytes(shard, File.ReadAllBytes(shard)[..^1]);
        RequireError(shard, () => CorpusPreparer.Prepare(corpus, Out, Bytes));
        File.Copy(Path.Combine(Out, "valid.shard"), shard, overwrite: true);
        RequireError(shard, () => Dataset.Open(Out).OpenTrain());
        BpeTrainer.Train(corpus.Documents(), 290).Save(Path.Combine(Out, "tokenizer.json"));
        RequireError("tokenizer.json", () => Dataset.Open(Out).LoadTokenizer());
        File.WriteAllText(Path.Combine(Out, "dataset.json"), "{}");
        RequireError("dataset.json", () => Dataset.Open(Out));
        RequireError(_folder.Path, () => Dataset.Open(_folder.Path));
    }

    /// <summary>What is there instead of a dataset is told, with the command that makes one of it.</summary>
    [Fact]
    public void WhatIsNoDatasetIsToldWithItsCure()
    {
        string missing = _folder.File("missing"), text = Path.GetDirectoryName(_folder.Write("text/a.txt", "some text"))!;
        string damaged = Path.GetDirectoryName(_folder.Write("damaged/train.shard", "x"))!;
        Require(missing, "does not exist", $"espalier data prepare TEXT --bpe 8192 --out {missing} ");
        Require(text, "is text that is not prepared", $"espalier data prepare {text} --bpe 8192 --out {text}-prepared ");
        Require(text + "/a.txt", "is text that is not prepared", $"espalier data prepare {text}/a.txt --bpe 8192 --out ");
        Require(damaged, "it has no dataset.json", $"espalier data prepare TEXT --bpe 8192 --out {damaged}-prepared ");

        static void Require(string folder, string says, string command)
        {
            var error = Assert.Throws<UserErrorException>(() => Dataset.Open(folder));
            Assert.Contains(folder, error.Message, StringComparison.Ordinal);
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
            Assert.Contains(command, error.Hint, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void ImpossibleOptionsAreNamed()
    {
        Corpus corpus = Speeches(3);
        RequireError("tokenizer", () => CorpusPreparer.Prepare(corpus, Out, new PreparationOptions()));
        RequireError("held-out share", () => CorpusPreparer.Prepare(corpus, Out, Bytes with { HeldOutFraction = 0 }));
        RequireError("None of the 3", () => CorpusPreparer.Prepare(corpus, Out, Bytes with { HeldOutFiles = ["20*"] }));
        RequireError("All documents", () => CorpusPreparer.Prepare(corpus, Out, Bytes with { HeldOutFiles = ["*"] }));
        RequireError("vocabulary", () => CorpusPreparer.Prepare(
            corpus, Out, new PreparationOptions { Training = new VocabularyTraining(50_000), HeldOutFiles = ["1980*"] }));
        _folder.Write("full/other.bin", "x");
        RequireError("full", () => CorpusPreparer.Prepare(corpus, _folder.File("full"), Bytes));
        Assert.False(Directory.Exists(Out));
    }

    private static string[] FilesOf(string folder) =>
        [.. Directory.GetFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static void RequireError(string named, Func<object> action) =>
        Assert.Contains(named, Assert.Throws<UserErrorException>(action).Message, StringComparison.Ordinal);
}
