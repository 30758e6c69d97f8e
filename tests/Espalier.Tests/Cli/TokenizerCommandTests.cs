using System.Text.Json;
using Espalier.Data;
using Espalier.Tests.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Cli;

[Collection(ConsoleCollection.Name)]
public sealed class TokenizerCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _text, _file;

    public TokenizerCommandTests()
    {
        _text = _folder.Write("text.txt", string.Concat(Enumerable.Repeat("the theme of the thesis\n", 20)));
        _file = _folder.File("tokenizer.json");
        CommandLine.Succeed(["tokenizer", "train", _text, "--vocab", "264", "--out", _file]);
    }

    public void Dispose() => _folder.Dispose();

    private string Encode(string input, params string[] more) =>
        CommandLine.Succeed(["tokenizer", "encode", "--tokenizer", _file, .. more], input);

    private string Decode(string input, params string[] more) =>
        CommandLine.Succeed(["tokenizer", "decode", "--tokenizer", _file, .. more], input);

    [Fact]
    public void ATrainedTokenizerIsSaved()
    {
        Assert.Equal(264, Tokenizer.Load(_file).VocabularySize);
        byte[] before = File.ReadAllBytes(_file);
        CommandLine result = CommandLine.Run(["tokenizer", "train", _text, "--vocab", "264", "--out", _file]);
        Assert.Equal((0, ""), (result.ExitCode, result.Output));
        Assert.Matches("counting words .* 100 %", result.Error);
        Assert.Matches("learning merges .* 100 %", result.Error);
        Assert.Equal(before, File.ReadAllBytes(_file));
    }

    [Fact]
    public void AWordPieceIsTrainedOnRequest()
    {
        string[] args = ["tokenizer", "train", _text, "--vocab", "60", "--wordpiece", "--out", _file];
        CommandLine.Succeed(args);
        Assert.Equal("theme", Decode("", Encode("theme").Trim()).Trim());
        int all = Tokenizer.Load(_file).VocabularySize;
        Assert.IsType<WordPiece>(Tokenizer.Load(_file));

        // "the" occurs 80 times, "theme" and "thesis" 20 times.
        CommandLine.Succeed([.. args, "--min-frequency", "21", "--cased"]);
        Assert.InRange(Tokenizer.Load(_file).VocabularySize, 6, all - 1);
        CommandLine.Fail([.. args.Where(arg => arg != "--wordpiece"), "--cased"], "--cased", "--wordpiece");
        CommandLine.Fail([.. args, "--min-frequency", "0"], "0");
    }

    /// <summary>"th" and "the" occur 80 times, " the" 60 times, what else there is 20 or 40 times.</summary>
    [Fact]
    public void RarePairsBecomeNoTokensOnRequest()
    {
        string[] args = ["tokenizer", "train", _text, "--vocab", "264", "--out", _file, "--min-frequency"];
        CommandLine.Succeed([.. args, "60"]);
        Assert.Equal(257 + 3, Tokenizer.Load(_file).VocabularySize);
        Assert.Equal(259, Tokenizer.Load(_file).EndOfText);
        CommandLine.Succeed([.. args, "61"]);
        Assert.Equal(257 + 2, Tokenizer.Load(_file).VocabularySize);
        CommandLine.Fail([.. args, "0"], "0 times");
    }

    [Fact]
    public void TextsBecomeLinesOfIds()
    {
        Tokenizer tokenizer = Tokenizer.Load(_file);
        string[] texts = ["the theme", "é 🙂", "@home", ""];
        Assert.Equal(string.Concat(texts.Select(text => string.Join(' ', tokenizer.Encode(text)) + "\n")), Encode("", texts));
        Assert.Equal(string.Join(' ', tokenizer.Encode("the\n theme\n")) + "\n", Encode("the\n theme\n"));
        Assert.Equal(string.Join(' ', tokenizer.Encode("--json-lines")) + "\n", Encode("", "--", "--json-lines"));
        Assert.Equal(texts[0], Decode("", [.. tokenizer.Encode(texts[0]).Select(id => $"{id}")]));
        Assert.Equal(texts[1], Decode($" {string.Join("\n ", tokenizer.Encode(texts[1]))}\n"));
    }

    [Fact]
    public void SpecialTokensAreSetOnRequest()
    {
        string vocabulary = _folder.Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n");
        Assert.Equal("5 7 4 1\n", Bert("encode", "AB [MASK] x"));
        Assert.Equal("2 5 3\n", Bert("encode", "a", "--special"));
        Assert.Equal("a b", Bert("decode", "2", "5", "6", "3", "--skip-special"));
        Assert.Equal("[CLS] ab [SEP]", Bert("decode", "2", "5", "7", "3"));
        Assert.Equal(
            "[2,5,3]\n[2,5,3,6,3]\n",
            CommandLine.Succeed(
                ["tokenizer", "encode", "--tokenizer", vocabulary, "--special", "--json-lines"], "\"a\"\n[\"a\",\"b\"]\n"));

        string Bert(string verb, params string[] more) =>
            CommandLine.Succeed(["tokenizer", verb, "--tokenizer", vocabulary, .. more]);
    }

    /// <summary>As JavaScript hands its strings to Hugging Face's library.</summary>
    [Fact]
    public void HalfASurrogatePairIsAReplacementCharacter()
    {
        string halves = """
            "\ud800" "\uDC00\ud83d" "a\\ud800" "\\\ud83d\ude42\ud83d" "\ud83d\n"
            """.Replace(' ', '\n') + "\n";
        string[] expected = ["\ufffd", "\ufffd\ufffd", "a\\ud800", "\\\ud83d\ude42\ufffd", "\ufffd\n"];
        string ids = Encode(halves, "--json-lines");
        Assert.Equal(
            expected,
            Decode(ids, "--json-lines").Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => JsonSerializer.Deserialize<string>(line)));
    }

    [Fact]
    public void AnyTextsComeBackFromJsonLines()
    {
        Tokenizer tokenizer = Tokenizer.Load(_file);
        Check.QuickThrowOnFailure(Prop.ForAll(
            ArbMap.Default.ArbFor<UnicodeString[]>(),
            strings =>
            {
                // A lone surrogate is no text.
                string[] texts = [.. strings.Select(text => text.ToString()).Where(IsText)];
                string input = string.Concat(texts.Select(text => JsonSerializer.Serialize(text) + "\n"));
                string ids = Encode(input, "--json-lines");
                Assert.Equal(
                    texts.Select(text => JsonSerializer.Serialize(tokenizer.Encode(text))),
                    ids.Split('\n', StringSplitOptions.RemoveEmptyEntries));
                Assert.Equal(
                    texts,
                    Decode(ids, "--json-lines").Split('\n', StringSplitOptions.RemoveEmptyEntries)
                        .Select(line => JsonSerializer.Deserialize<string>(line)));
            }));

        static bool IsText(string text)
        {
            for (int i = 0; i < text.Length; i++)
            {
                if (char.IsSurrogatePair(text, i))
                {
                    i++;
                }
                else if (char.IsSurrogate(text[i]))
                {
                    return false;
                }
            }

            return true;
        }
    }

    [Fact]
    public void DamagedInputIsNamed()
    {
        string[] encode = ["tokenizer", "encode", "--tokenizer", _file], decode = ["tokenizer", "decode", "--tokenizer", _file];
        CommandLine.FailOn("3\n", [.. encode, "--json-lines"], "stdin:1", "not a JSON string", "3");
        CommandLine.FailOn("\n", [.. encode, "--json-lines"], "stdin:1");
        CommandLine.FailOn("null\n", [.. encode, "--json-lines"], "stdin:1");
        CommandLine.FailOn("[\"a\"]\n", [.. encode, "--json-lines"], "stdin:1", "pair of strings");
        CommandLine.FailOn("\"\\ud800\n", [.. encode, "--json-lines"], "stdin:1");
        CommandLine.FailOn("[1,\"x\"]\n", [.. decode, "--json-lines"], "stdin:1", "array of token ids");
        CommandLine.FailOn("1 two 3", decode, "'two'");
        CommandLine.FailOn("5 264", decode, "264", "vocabulary");
        CommandLine.Fail([.. encode, "--json-lines", "a text"], "--json-lines", "a text");
        CommandLine.Fail(["tokenizer", "encode", "--tokenizer", _text, "a"], _text);
        CommandLine.Fail(["tokenizer", "encode", "a"], "--tokenizer");
    }

    [Fact]
    public void ALineAtFaultLosesNothingBeforeIt()
    {
        CommandLine result = CommandLine.Run(
            ["tokenizer", "encode", "--tokenizer", _file, "--json-lines"], "\"a\"\n\"b\"\nc\n\"d\"\n");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(2, result.Output.Count(c => c == '\n'));
        Assert.Contains("stdin:3", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ImpossibleTrainingIsNamedAndOverwritesNothing()
    {
        byte[] before = File.ReadAllBytes(_file);
        Train(_text, "50000", _file, "not of 50000");
        Train(_text, "256", _file, "257");
        Train(_folder.File("none.txt"), "300", _file, _folder.File("none.txt"));
        Train(_folder.Write("empty.txt", ""), "300", _file, "empty.txt");
        Assert.Equal(before, File.ReadAllBytes(_file));

        string text = File.ReadAllText(_text);
        Train(_text, "260", _text, _text, "no tokenizer");
        Assert.Equal(text, File.ReadAllText(_text));
        Train(_text, "260", _folder.Path, "is a folder");
        Train(_text, "260", _text + "/tokenizer.json", "cannot be written");

        static void Train(string input, string size, string output, params string[] says) =>
            CommandLine.Fail(["tokenizer", "train", input, "--vocab", size, "--out", output], says);
    }
}
