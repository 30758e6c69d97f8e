using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public class TokenizerTests
{
    private static readonly string Golden = Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer");
    private static readonly Tokenizer Bpe = Tokenizer.Load(Golden);

    public static TheoryData<string, int[], int[]> Cases()
    {
        var cases = new TheoryData<string, int[], int[]>();
        foreach (JsonNode? golden in JsonNode.Parse(File.ReadAllText(Path.Combine(Golden, "cases.json")))!.AsArray())
        {
            cases.Add(
                golden!["text"]!.GetValue<string>(),
                golden["ids"].Deserialize<int[]>()!,
                golden["ids_with_special"].Deserialize<int[]>()!);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EncodesAsHuggingFaceDoes(string text, int[] ids, int[] idsWithSpecial)
    {
        Assert.Equal(ids, Bpe.Encode(text));
        Assert.Equal(idsWithSpecial, Bpe.Encode(text, allowSpecial: true));
        Assert.Equal(text, Bpe.Decode(ids));
        Assert.Equal(text, Bpe.Decode(idsWithSpecial));
    }

    /// <summary>Each met the user as a stack trace, or as silence.</summary>
    [Theory]
    [InlineData("tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\\ud800\": 0}, \"merges\": []}}", "is not valid JSON")]
    [InlineData("tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\u00ff\": 0}, \"merges\": []}}", "not UTF-8")]
    [InlineData("tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 2147483647}, \"merges\": []}}", "no id that is a whole number")]
    [InlineData("tokenizer.json", "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 1.5, \"vocab\": [[\"a\", 0]]}}", "no id that is a whole number")]
    [InlineData("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\u00ff", "is not UTF-8")]
    public void ATokenizerThatIsNoTextIsRefused(string file, string content, string named)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write(file, Encoding.Latin1.GetBytes(content));
        var error = Assert.Throws<UserErrorException>(() => Tokenizer.Load(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PaddingHasItsBounds()
    {
        string file = Path.Combine(Golden, "tokenizer.json");
        foreach (string strategy in new[] { "{\"Fixed\": 1000000000}, \"pad_to_multiple_of\": 8", "\"BatchLongest\", \"pad_to_multiple_of\": 1000000000" })
        {
            OddTokenizer.IsRefused(
                file, "padding", $"{{\"strategy\": {strategy}, \"direction\": \"Right\", \"pad_id\": 0, \"pad_type_id\": 0, \"pad_token\": \"x\"}}",
                "1000000000 tokens");
        }
    }

    [Fact]
    public void AnyTextDecodesToItself()
    {
        Gen<string> texts = Gen.Choose(0, 0x10FFFF - 0x800)
            .Select(c => new Rune(c < 0xD800 ? c : c + 0x800).ToString())
            .ListOf()
            .Select(runes => string.Concat(runes));
        foreach (Tokenizer tokenizer in new[] { Bpe, ByteLevelBpe.RawBytes })
        {
            Check.QuickThrowOnFailure(Prop.ForAll(
                Arb.From(texts), text => tokenizer.Decode(tokenizer.Encode(text)) == text
                    && tokenizer.Decode(tokenizer.Encode(text, allowSpecial: true)) == text));
        }
    }

    [Fact]
    public void AnyBytesDecodeToThemselves()
    {
        foreach (Tokenizer tokenizer in new[] { Bpe, ByteLevelBpe.RawBytes })
        {
            Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
            {
                var ids = new List<int>();
                tokenizer.Encode(bytes, ids);
                return tokenizer.DecodeToBytes([.. ids]).SequenceEqual(bytes);
            }));
        }
    }

    /// <summary>The merges applied one rank after the other over the whole word: slow, and plainly right.</summary>
    [Fact]
    public void MergingMatchesTheDefinition()
    {
        var trained = (ByteLevelBpe)Bpe;
        (int Left, int Right, int Merged)[] merges =
            [(0, 0, 3), (3, 0, 4), (0, 1, 5), (3, 3, 6), (1, 2, 7), (5, 2, 8), (0, 7, 8), (8, 8, 9)];
        Assert.Equal(200, trained.MergeCount);
        var merging = new BpeMerges(merges);
        Check.QuickThrowOnFailure(Prop.ForAll(
            Arb.From(Gen.Choose(0, 2).ArrayOf(40)),
            word =>
            {
                var expected = new List<int>(word);
                while (true)
                {
                    int rank = Array.FindIndex(merges, merge => IndexOf(expected, merge) >= 0);
                    if (rank < 0)
                    {
                        break;
                    }

                    int at = IndexOf(expected, merges[rank]);
                    expected.RemoveAt(at);
                    expected[at] = merges[rank].Merged;
                }

                var actual = new List<int>();
                merging.Merge(word, actual);
                return actual.SequenceEqual(expected);
            }));

        static int IndexOf(List<int> word, (int Left, int Right, int Merged) merge) =>
            Enumerable.Range(0, Math.Max(0, word.Count - 1))
                .FirstOrDefault(i => word[i] == merge.Left && word[i + 1] == merge.Right, -1);
    }

    [Fact]
    public void RawBytesAreTheirOwnIds()
    {
        Assert.Equal(257, ByteLevelBpe.RawBytes.VocabularySize);
        Assert.Equal(256, ByteLevelBpe.RawBytes.EndOfText);
        Assert.Equal([104, 195, 169, 10], ByteLevelBpe.RawBytes.Encode("hé\n"));
        Assert.Equal([60, 256, 62], ByteLevelBpe.RawBytes.Encode("<<|endoftext|>>", allowSpecial: true));
        Assert.Equal(15, ByteLevelBpe.RawBytes.Encode("<<|endoftext|>>").Length);
    }

    [Fact]
    public void SavedTokenizersLoadAsTheSame()
    {
        using var folder = new TemporaryFolder();
        foreach (Tokenizer tokenizer in new[] { Bpe, ByteLevelBpe.RawBytes })
        {
            string path = folder.File("tokenizer.json");
            tokenizer.Save(path);
            Tokenizer loaded = Tokenizer.Load(path);
            Assert.Equal(tokenizer.Fingerprint, loaded.Fingerprint);
            Assert.Equal(tokenizer.VocabularySize, loaded.VocabularySize);
            Assert.Equal(tokenizer.Encode("the gardener's 3 trees"), loaded.Encode("the gardener's 3 trees"));
        }

        Assert.NotEqual(Bpe.Fingerprint, ByteLevelBpe.RawBytes.Fingerprint);
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void EncodingFromManyThreadsIsTheSame()
    {
        string text = File.ReadAllText(Path.Combine(Golden, "training.txt"));
        int[] expected = Bpe.Encode(text);
        Tokenizer fresh = Tokenizer.Load(Golden);
        Parallel.For(0, 64, _ => Assert.Equal(expected, fresh.Encode(text)));
    }

    [Theory]
    [InlineData("truncation", """{"max_length":8}""", "\"truncation\"")]
    [InlineData("truncation", """{"max_length":8,"strategy":"Middle"}""", "Middle")]
    [InlineData("padding", """{"strategy":"Novel"}""", "Novel")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace"}""", "Metaspace")]
    [InlineData("post_processor", """{"type":"TemplateProcessing"}""", "special_tokens")]
    [InlineData("post_processor", """{"type":"Novel"}""", "Novel")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "WordPiece")]
    [InlineData("model", """{"type":"Unigram"}""", "Unigram")]
    [InlineData("model.dropout", "0.1", "\"dropout\"")]
    [InlineData("model.merges", """[["a","q"]]""", "\"aq\"")]
    [InlineData("model.merges", """["a"]""", "merge 0")]
    [InlineData("model.merges", """[["a",1]]""", "merge 0")]
    [InlineData("added_tokens", """[{"id":457,"content":"<x>","novel":true}]""", "\"novel\"")]
    [InlineData("added_tokens", """[{"id":457,"content":"a"}]""", "457")]
    [InlineData("added_tokens", """[{"id":0,"content":"<x>"}]""", "share the id 0")]
    [InlineData("added_tokens", """[{"id":1000000000,"content":"<x>"}]""", "largest id")]
    [InlineData("model", "7", "\"model\"")]
    public void WhatIsNotSupportedIsAnErrorThatNamesIt(string key, string value, string named) =>
        OddTokenizer.IsRefused(Path.Combine(Golden, "tokenizer.json"), key, value, named);

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"model":{}}""")]
    public void FilesThatAreNoTokenizerAreRefused(string content)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("tokenizer.json", content);
        Assert.Contains(path, Assert.Throws<UserErrorException>(() => Tokenizer.Load(path)).Message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => Tokenizer.Load(folder.File("missing.json")));
    }

    [Fact]
    public void IdsOutsideTheVocabularyAreRefused()
    {
        Assert.Contains("457", Assert.Throws<UserErrorException>(() => Bpe.Decode([457])).Message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => Bpe.TokenOf(-1));
        Assert.Equal("<|endoftext|>", Bpe.TokenOf(456));
        Assert.Equal("Ġ", Bpe.TokenOf(220));
    }
}
