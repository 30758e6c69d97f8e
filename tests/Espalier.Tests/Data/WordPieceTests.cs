using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public class WordPieceTests
{
    private static readonly string Golden = Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer");

    private static readonly string[] Vocabulary =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "b", "##ab", "ab", ".", "e", "\u00e9", "[unused0]"];

    private sealed record Case(
        string Text, int[] Ids, string Decoded, string Pair, int MaxLength, int[] PairIds, int[] TypeIds, string PairDecoded);

    [Theory]
    [InlineData("bert-uncased")]
    [InlineData("bert-cased")]
    [InlineData("bert-accents")]
    public void EncodesAndDecodesAsHuggingFaceDoes(string name)
    {
        using var folder = new TemporaryFolder();
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(Golden, $"{name}.json"));
        tokenizer.Save(folder.File("saved.json"));
        Tokenizer saved = Tokenizer.Load(folder.File("saved.json"));
        Assert.Equal(tokenizer.Fingerprint, saved.Fingerprint);
        Case[] cases = JsonSerializer.Deserialize<Case[]>(
            File.ReadAllText(Path.Combine(Golden, $"{name}-cases.json")),
            new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower })!;
        Assert.True(cases.Length > 200);
        foreach (Case golden in cases)
        {
            foreach (Tokenizer either in new[] { tokenizer, saved })
            {
                Assert.Equal(golden.Ids, either.Encode(golden.Text, allowSpecial: true));
                EncodedText pair = either.EncodeForModel(golden.Text, golden.Pair, golden.MaxLength);
                Assert.Equal(golden.PairIds, pair.Ids);
                Assert.Equal(golden.TypeIds, pair.TypeIds);
                Assert.Equal(golden.Decoded, either.Decode(golden.Ids));
                Assert.Equal(golden.PairDecoded, either.Decode(golden.PairIds, skipSpecial: true));
            }
        }
    }

    [Fact]
    public void AVocabularyOfBertHasItsSpecialTokens()
    {
        var tokenizer = WordPiece.Create(Vocabulary, lowercase: true);
        Assert.Equal((0, 1, 2, 3, 4), (tokenizer.Pad, tokenizer.Unknown, tokenizer.Cls, tokenizer.Sep, tokenizer.Mask));
        Assert.Equal(3, tokenizer.DocumentBoundary);
        Assert.Null(tokenizer.EndOfText);
        Assert.Equal([0, 1, 2, 3, 4], Enumerable.Range(0, tokenizer.VocabularySize).Where(tokenizer.IsSpecial));
        Assert.Equal(8, tokenizer.IdOf("##ab"));
        Assert.Null(tokenizer.IdOf("c"));
        Assert.Equal([9, 6, 10, 11, 1], tokenizer.Encode("ABA. \u00c9 c"));
        Assert.Equal([1, 12], WordPiece.Create(Vocabulary, lowercase: false).Encode("A \u00e9"));
        Assert.DoesNotContain(4, tokenizer.Encode("[MASK]"));
        Assert.Equal([4], tokenizer.Encode("[MASK]", allowSpecial: true));
    }

    [Fact]
    public void WhatABertVocabularyMustHaveIsNamed()
    {
        Assert.Contains("[MASK]", Assert.Throws<UserErrorException>(
            () => WordPiece.Create(Vocabulary[..4], lowercase: true)).Message, StringComparison.Ordinal);
        Assert.Contains("\"a\"", Assert.Throws<UserErrorException>(
            () => WordPiece.Create([.. Vocabulary, "a"], lowercase: true)).Message, StringComparison.Ordinal);
        Assert.Contains("2 tokens", Assert.Throws<UserErrorException>(
            () => WordPiece.Create(Vocabulary, lowercase: true).EncodeForModel("a", "b", 2)).Message, StringComparison.Ordinal);
    }

    /// <summary>Chunks are cut where no rule of the normalizer reaches over, so cutting changes nothing.</summary>
    [Fact]
    public void ChunksTogetherHaveTheWordsOfTheWhole()
    {
        Gen<string> texts = Gen.Frequency(
                (4, Gen.Elements("a", "B", " ", "\t", ".", "=", "\u0338", "\u0301", "\u0323", "\u0345", "\u00e9", "\u6f22", "\u0130", "\0", "\u00a0")),
                (1, Gen.Choose(0, 0xD7FF).Select(c => ((char)c).ToString())))
            .ListOf().Select(parts => string.Concat(parts));
        foreach (bool? strip in new bool?[] { null, true, false })
        {
            var splitter = new BertSplitter(new BertNormalizer(true, true, strip, Lowercase: true));
            Check.QuickThrowOnFailure(Prop.ForAll(Arb.From(texts), text =>
            {
                byte[] utf8 = Encoding.UTF8.GetBytes(text);
                var pieces = new List<string>();
                for (int at = 0; at < utf8.Length;)
                {
                    int length = BertSplitter.NextChunk(utf8.AsSpan(at), out bool isSpace);
                    pieces.AddRange(isSpace ? [] : Words(splitter, utf8.AsSpan(at, length)));
                    at += length;
                }

                return pieces.SequenceEqual(Words(splitter, utf8));
            }));
        }

        static List<string> Words(BertSplitter splitter, ReadOnlySpan<byte> text)
        {
            var list = new WordList();
            splitter.Split(text, list);
            return [.. Enumerable.Range(0, list.Count).Select(i => Encoding.UTF8.GetString(list[i]))];
        }
    }

    [Theory]
    [InlineData("pre_tokenizer", """{"type":"Metaspace"}""", "Metaspace")]
    [InlineData("decoder", """{"type":"Novel"}""", "Novel")]
    [InlineData("model.unk_token", "\"<none>\"", "<none>")]
    [InlineData("model.max_input_chars_per_word", "-1", "max_input_chars_per_word")]
    public void WhatIsNotSupportedIsAnErrorThatNamesIt(string key, string value, string named) =>
        OddTokenizer.IsRefused(Path.Combine(Golden, "bert-uncased.json"), key, value, named);

    [Fact]
    public void TheFilesLimitsOfLengthHoldWhereHuggingFacesDo()
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden, "bert-uncased.json")))!;
        json["truncation"] = JsonNode.Parse("""{"direction":"Left","max_length":4,"strategy":"OnlyFirst","stride":0}""");
        json["padding"] = JsonNode.Parse(
            """{"strategy":{"Fixed":5},"direction":"Right","pad_to_multiple_of":4,"pad_id":0,"pad_type_id":1,"pad_token":"[PAD]"}""");
        using var folder = new TemporaryFolder();
        Tokenizer tokenizer = Tokenizer.Load(folder.Write("limits.json", json.ToJsonString()));
        int comma = tokenizer.IdOf(",")!.Value, dot = tokenizer.IdOf(".")!.Value;
        EncodedText encoded = tokenizer.EncodeAsHuggingFace(",,,..");
        Assert.Equal([2, dot, dot, 3, 0, 0, 0, 0], encoded.Ids);
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1], encoded.TypeIds);
        Assert.Equal([comma, comma, comma, dot, dot], tokenizer.Encode(",,,.."));
        Assert.Contains("OnlyFirst", Assert.Throws<UserErrorException>(
            () => tokenizer.EncodeAsHuggingFace(",", "....")).Message, StringComparison.Ordinal);
    }

    /// <summary>As Hugging Face's library saves a tokenizer that was given no more than what encoding needs.</summary>
    [Fact]
    public void AFileMayHaveNoDecoderNorSpecialTokens()
    {
        using var folder = new TemporaryFolder();
        foreach (string name in new[] { "bert-uncased.json", "tokenizer.json" })
        {
            string golden = Path.Combine(Golden, name);
            JsonNode json = JsonNode.Parse(File.ReadAllText(golden))!;
            (json["added_tokens"], json["decoder"], json["post_processor"]) = (new JsonArray(), null, null);
            Tokenizer bare = Tokenizer.Load(folder.Write(name, json.ToJsonString()));
            int[] ids = Tokenizer.Load(golden).Encode("the gardener [MASK]");
            Assert.Equal(ids, bare.Encode("the gardener [MASK]"));
            Assert.Equal(ids, bare.EncodeForModel("the gardener [MASK]").Ids);
            Assert.Equal(
                name == "tokenizer.json" ? "the gardener [MASK]" : string.Join(' ', ids.Select(bare.TokenOf)), bare.Decode(ids));
            bare.Save(folder.File("saved.json"));
            Assert.Equal(bare.Fingerprint, Tokenizer.Load(folder.File("saved.json")).Fingerprint);
        }
    }

    [Fact]
    public void VocabulariesOfOldAreTheSameTokenizers()
    {
        using var folder = new TemporaryFolder();
        var uncased = WordPiece.Create(Vocabulary, lowercase: true);
        string file = folder.Write("vocab.txt", string.Join('\n', Vocabulary) + "\n");
        Assert.Equal(uncased.Fingerprint, Tokenizer.Load(file).Fingerprint);
        Assert.Equal(uncased.Fingerprint, Tokenizer.Load(folder.Path).Fingerprint);
        folder.Write("tokenizer_config.json", """{"do_lower_case":false}""");
        Assert.Equal(WordPiece.Create(Vocabulary, lowercase: false).Fingerprint, Tokenizer.Load(file).Fingerprint);
        Assert.Equal([5], Tokenizer.Load(folder.Write("cased/vocab.txt", string.Join('\n', [.. Vocabulary, "A"]))).Encode("a"));

        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden, "tokenizer.json")))!;
        folder.Write("gpt/vocab.json", json["model"]!["vocab"]!.ToJsonString());
        string merges = folder.Write(
            "gpt/merges.txt",
            "#version: 0.2\n" + string.Concat(json["model"]!["merges"]!.AsArray().Select(pair => $"{pair![0]} {pair[1]}\n")));
        string text = File.ReadAllText(Path.Combine(Golden, "training.txt"));
        Assert.Equal(Tokenizer.Load(Golden).Encode(text), Tokenizer.Load(folder.File("gpt")).Encode(text));
        Assert.Equal(456, Tokenizer.Load(merges).EndOfText);
        File.Delete(folder.File("gpt/vocab.json"));
        Assert.Contains("vocab.json", Assert.Throws<UserErrorException>(
            () => Tokenizer.Load(merges)).Message, StringComparison.Ordinal);
        Assert.Contains("no tokenizer", Assert.Throws<UserErrorException>(
            () => Tokenizer.Load(folder.File("gpt"))).Message, StringComparison.Ordinal);
    }
}
