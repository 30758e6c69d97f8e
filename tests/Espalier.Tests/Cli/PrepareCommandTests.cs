using System.Text.Json;
using Espalier.Data;
using Espalier.Tests.Data;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class PrepareCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Out => _folder.File("out");

    private string Text => _folder.File("text");

    public PrepareCommandTests()
    {
        for (int year = 1995; year < 2005; year++)
        {
            _folder.Write($"text/{year}.txt", $"Speech of {year}.\n");
        }
    }

    public void Dispose() => _folder.Dispose();

    private void Fail(string[] args, params string[] says)
    {
        CommandLine.Fail(["data", "prepare", .. args], says);
        Assert.DoesNotContain(
            Directory.GetDirectories(_folder.Path),
            folder => Path.GetFileName(folder).Contains(Path.GetFileName(Out), StringComparison.Ordinal));
    }

    [Fact]
    public void TheSummarySaysWhatThereIs()
    {
        string[] args = ["data", "prepare", Text, "--bytes", "--holdout", "1800*", "--holdout", "20*.txt", "--out", Out];
        JsonElement summary = JsonDocument.Parse(CommandLine.Succeed([.. args, "--json"])).RootElement;
        Assert.Equal(Out, summary.GetProperty("folder").GetString());
        Assert.Equal(257, summary.GetProperty("vocabulary_size").GetInt32());
        foreach (string part in new[] { "train", "valid" })
        {
            // 16 bytes and 3 words a speech, and a token that begins it.
            Assert.Equal(
                """{"documents":5,"tokens":85,"bytes":80,"words":15}""",
                JsonSerializer.Serialize(summary.GetProperty(part)));
        }

        string table = CommandLine.Succeed(args);
        Assert.All(["training", "held out", "85", "80", "257", "20*.txt"], cell => Assert.Contains(cell, table, StringComparison.Ordinal));
    }

    [Fact]
    public void WeightedInputsAreSharesOfTheTrainingText()
    {
        _folder.Write("a=1/one.txt", "even\n\nmore\n\ntext\n\nhere");
        string[] args =
        [
            "data", "prepare", Text + "=0.75", _folder.File("a=1") + "=0.25", "--characters", "--documents", "blank-line",
            "--holdout", "2004*", "--out", Out, "--json",
        ];
        JsonElement summary = JsonDocument.Parse(CommandLine.Succeed(args)).RootElement;
        Assert.Equal(
            $"training text: 76.92 % {Text}, each text 0.889 times, 23.08 % {_folder.File("a=1")}, each text 2.25 times",
            summary.GetProperty("mixture").GetString());
        Assert.Equal("Speech of 1995.", summary.GetProperty("first").GetProperty("begins").GetString());
        Assert.Equal(156, summary.GetProperty("train").GetProperty("bytes").GetInt32());
    }

    [Fact]
    public void ImpossibleInputsAreNamed()
    {
        Fail([Text + "=0.75", Text, "--bytes", "--out", Out], "Some inputs have a weight, and " + Text);
        Fail([Text + "=0.75", Text + "=-1", "--bytes", "--out", Out], "is -1, and must be above 0");
        Fail(["-", "-", "--bytes", "--out", Out], "stdin is named twice");
        Fail(["-", "--stdin-as", ".doc", "--bytes", "--out", Out], ".doc is of an unknown kind", ".jsonl.zst");
    }

    [Fact]
    public void TheSameCommandPreparesOnce()
    {
        string[] args = ["data", "prepare", Text, "--bpe", "262", "--holdout", "20*", "--out", Out];
        string first = CommandLine.Succeed(args);
        Dictionary<string, (DateTime, string)> before = Files();
        Assert.Equal(first, CommandLine.Succeed(args));
        Assert.Equal(before, Files());

        CommandLine.Fail([.. args[..^4], "--holdout", "2001*", "--out", Out], Out, "other texts");
        Assert.Equal(before, Files());

        Dictionary<string, (DateTime, string)> Files() => Directory.GetFiles(Out).ToDictionary(
            file => file, file => (File.GetLastWriteTimeUtc(file), Convert.ToHexString(File.ReadAllBytes(file))));
    }

    [Fact]
    public void ATokenizerOfOnesOwnIsUsed()
    {
        string tokenizer = _folder.File("tokenizer.json");
        CommandLine.Succeed(["tokenizer", "train", Text, "--vocab", "260", "--out", tokenizer]);
        CommandLine.Succeed(["data", "prepare", Text, "--tokenizer", tokenizer, "--holdout", "20*", "--out", Out]);
        Assert.Equal(Tokenizer.Load(tokenizer).Fingerprint, Dataset.Open(Out).TokenizerFingerprint);
    }

    [Fact]
    public void DocumentsOfATrainedWordPieceBeginWithSep()
    {
        string[] args = ["data", "prepare", Text, "--wordpiece", "40", "--holdout", "20*", "--out", Out];
        CommandLine.Succeed(args);
        Dataset dataset = Dataset.Open(Out);
        Tokenizer tokenizer = dataset.LoadTokenizer();
        int[] speech = [tokenizer.IdOf("[SEP]")!.Value, .. tokenizer.Encode("speech of 1995.")];
        using (TokenShard train = dataset.OpenTrain())
        {
            var tokens = new long[train.Count];
            train.CopyTo(0, tokens);
            Assert.Equal(speech, tokens[..speech.Length].Select(id => (int)id));
            Assert.Equal(5, tokens.Count(id => id == speech[0]));
        }

        Assert.Null(tokenizer.IdOf("S"));
        CommandLine.Fail([.. args, "--cased"], Out, "another tokenizer");
        CommandLine.Succeed([.. args[..^1], _folder.File("cased"), "--cased"]);
        Assert.NotNull(Dataset.Open(_folder.File("cased")).LoadTokenizer().IdOf("S"));
    }

    /// <summary>"Speech of 199n." is held out for no n from 5 to 9: every pair of it occurs 5 times, or once.</summary>
    [Theory]
    [InlineData("--bpe", 1)]
    [InlineData("--wordpiece", 2)]
    public void RarePairsBecomeNoTokensOnRequest(string kind, int usual)
    {
        string[] args = ["data", "prepare", Text, kind, "262", "--holdout", "20*", "--out", Out];
        CommandLine.Succeed([.. args, "--min-frequency", "5"]);
        int size = Dataset.Open(Out).VocabularySize;
        string tokenizer = _folder.File("tokenizer.json");
        string[] train = ["tokenizer", "train", .. Enumerable.Range(1995, 5).Select(year => $"{Text}/{year}.txt")];
        CommandLine.Succeed(
            [.. train, "--vocab", "262", "--min-frequency", "5", "--out", tokenizer, .. kind == "--bpe" ? [] : new[] { kind }]);
        Assert.Equal(Tokenizer.Load(tokenizer).Fingerprint, Dataset.Open(Out).TokenizerFingerprint);

        // It takes part in what makes data the same.
        CommandLine.Succeed([.. args, "--min-frequency", "5"]);
        CommandLine.Fail(args, Out, "another tokenizer");
        CommandLine.Fail([.. args, "--min-frequency", "6"], Out, "another tokenizer");
        args[^1] = _folder.File("other");
        CommandLine.Succeed([.. args, "--min-frequency", "6"]);
        Assert.InRange(Dataset.Open(args[^1]).VocabularySize, 6, size - 1);

        // What is usual is the same whether it is said or not.
        args[^1] = _folder.File("usual");
        CommandLine.Succeed(args);
        CommandLine.Succeed([.. args, "--min-frequency", $"{usual}"]);
    }

    [Fact]
    public void LinesUnderAnotherKeyAreRead()
    {
        _folder.Write("a.jsonl", string.Concat(Enumerable.Range(0, 50).Select(i => $"{{\"body\":\"document {i}\"}}\n")));
        CommandLine.Succeed(["data", "prepare", _folder.File("a.jsonl"), "--bytes", "--text-key", "body", "--holdout-fraction", "0.2", "--out", Out]);
        Dataset dataset = Dataset.Open(Out);
        Assert.Equal(50, dataset.Train.Documents + dataset.Valid.Documents);
        CommandLine.Fail(
            ["data", "prepare", _folder.File("a.jsonl"), "--bytes", "--out", _folder.File("other")], "a.jsonl:1", "\"text\"");
    }

    [Fact]
    public void AFolderThatCannotBeWrittenIsTold() => CommandLine.Fail(
        ["data", "prepare", _folder.Write("text.txt", "some text"), "--bytes", "--out", "/proc/no"],
        "cannot be prepared in /proc/no", "HINT: Free some space, or choose a folder that you may write to.");

    [Fact]
    public void MissingOrEmptyTextIsNamed()
    {
        Fail([_folder.File("nowhere"), "--bytes", "--out", Out], _folder.File("nowhere"), "does not exist");
        string empty = _folder.Write("empty.txt", "");
        Fail([empty, "--bytes", "--out", Out], empty, "no text");
        Directory.CreateDirectory(_folder.File("none"));
        Fail([_folder.File("none"), "--bytes", "--out", Out], _folder.File("none"), "no text");
        string foreign = _folder.Write("picture.png", [1, 2, 3]);
        Fail([foreign, "--bytes", "--out", Out], foreign, ".jsonl");
        Fail(
            [_folder.Write("text.txt", "text"), "--tokenizer", _folder.File("none.json"), "--out", Out],
            "none.json does not exist.", "HINT: Check the name and the folder.");
        string latin = _folder.Write("latin.txt", [0x61, 0xE9, 0x62]);
        Fail([latin, "--bytes", "--out", Out], latin, "UTF-8", "offset 1");
    }

    [Fact]
    public void ImpossibleVocabulariesAreNamed()
    {
        Fail([Text, "--out", Out], "--tokenizer", "--bytes", "--bpe");
        Fail([Text, "--bytes", "--bpe", "300", "--out", Out], "--bytes and --bpe are 2 vocabularies", "HINT: Give --bytes or --bpe alone.");
        Fail([Text, "--characters", "--bpe", "5", "--out", Out], "--characters and --bpe are 2 vocabularies");
        Fail([Text, "--wordpiece", "300", "--bpe", "300", "--out", Out], "--bpe", "--wordpiece");
        Fail([Text, "--bpe", "300", "--cased", "--out", Out], "--cased", "--wordpiece");
        Fail([Text, "--bytes", "--min-frequency", "2", "--out", Out], "--min-frequency", "--bpe and --wordpiece only");
        string tokenizer = _folder.File("tokenizer.json");
        ByteLevelBpe.RawBytes.Save(tokenizer);
        Fail([Text, "--tokenizer", tokenizer, "--min-frequency", "2", "--out", Out], "--min-frequency", "only");
        Fail([Text, "--bpe", "300", "--min-frequency", "0", "--holdout", "20*", "--out", Out], "0 times");
        Fail([Text, "--wordpiece", "9", "--holdout", "20*", "--out", Out], "9 tokens", "at least");
        Fail([Text, "--bpe", "50000", "--holdout", "20*", "--out", Out], "not of 50000", "smaller vocabulary");
        Fail([Text, "--bpe", "100", "--holdout", "20*", "--out", Out], "100", "257");
        Fail([Text, "--tokenizer", _folder.File("no.json"), "--out", Out], _folder.File("no.json"));
        string damaged = _folder.Write("damaged.json", "{\"model\":");
        Fail([Text, "--tokenizer", damaged, "--out", Out], damaged);
    }

    [Fact]
    public void ImpossibleSplitsAreNamed()
    {
        Fail([Text, "--bytes", "--holdout", "20*", "--holdout-fraction", "0.1", "--out", Out], "--holdout", "--holdout-fraction");
        Fail([Text, "--bytes", "--holdout-fraction", "1.5", "--out", Out], "1.5");
        Fail([Text, "--bytes", "--holdout", "18*", "--out", Out], "None of the 10", "18*");
        Fail([Text, "--bytes", "--holdout", "*", "--out", Out], "All documents", "*");
    }

    [Fact]
    public void NothingElseIsOverwritten()
    {
        string precious = _folder.Write("full/precious.doc", "years of work");
        CommandLine.Fail(["data", "prepare", Text, "--bytes", "--out", _folder.File("full")], _folder.File("full"), "no dataset");
        Assert.Equal([precious], Directory.GetFileSystemEntries(_folder.File("full")));

        // A file where a folder should be, and a folder where none can be made.
        CommandLine.Fail(["data", "prepare", Text, "--bytes", "--holdout", "20*", "--out", precious], precious);
        Assert.Equal("years of work", File.ReadAllText(precious));
        CommandLine.Fail(["data", "prepare", Text, "--bytes", "--holdout", "20*", "--out", precious + "/out"], precious);
    }

    [Fact]
    public void AFolderThatHoldsNoWholeCorpusIsNotFetchedInto()
    {
        _folder.Write("sotu/text/1790_george_washington_n.txt", "Fellow citizens");
        CommandLine.Fail(["data", "fetch", "sotu", "--out", _folder.File("sotu")], _folder.File("sotu"), "1 of the 233");
    }
}
