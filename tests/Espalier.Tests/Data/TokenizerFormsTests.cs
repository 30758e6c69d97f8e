using System.Text;
using System.Text.Json.Nodes;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

/// <summary>
/// Every form of tokenizer.json against what Hugging Face's library said of 10,000 strings (tests/tools/tokenizer-forms.mjs).
/// </summary>
public class TokenizerFormsTests
{
    private static readonly string Forms = Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer", "forms");
    private static readonly GeneratedStrings Strings = new(Path.Combine(Forms, "strings.json"));

    public static TheoryData<string, Type> Names() => new()
    {
        { "llama3", typeof(ByteLevelBpe) },
        { "qwen", typeof(ByteLevelBpe) },
        { "llama2", typeof(SentencePieceBpe) },
        { "metaspace-first", typeof(SentencePieceBpe) },
        { "metaspace-split", typeof(SentencePieceBpe) },
        { "unigram", typeof(HuggingFaceTokenizer) },
        { "word-level", typeof(HuggingFaceTokenizer) },
        { "characters", typeof(HuggingFaceTokenizer) },
        { "missing-bytes", typeof(HuggingFaceTokenizer) },
    };

    private static Tokenizer Form(string name) => Tokenizer.Load(Path.Combine(Forms, $"{name}.json"));

    [Theory]
    [MemberData(nameof(Names))]
    public void EncodesAndDecodesAsHuggingFaceDoes(string name, Type type)
    {
        Tokenizer tokenizer = Form(name);
        Assert.IsType(type, tokenizer);
        string[] expected =
            [.. JsonNode.Parse(File.ReadAllText(Path.Combine(Forms, "hashes.json")))![name]!.AsArray().Select(hash => $"{hash}")];
        Assert.Equal(100, expected.Length);
        for (int chunk = 0; chunk < expected.Length; chunk++)
        {
            (uint ids, uint texts) = (Hash.Empty, Hash.Empty);
            foreach (string text in Strings.Chunk((uint)chunk + 1))
            {
                int[] encoded = tokenizer.EncodeAsHuggingFace(text).Ids;
                ids = Hash.Of(encoded, ids);
                texts = Hash.Of(Encoding.UTF8.GetBytes(tokenizer.Decode(encoded)).Select(b => (int)b), texts);
            }

            Assert.True(expected[chunk] == $"{ids:x8} {texts:x8}", $"{name}, chunk {chunk + 1}: {ids:x8} {texts:x8}, not {expected[chunk]}");
        }
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("qwen")]
    [InlineData("llama2")]
    public void AnyTextDecodesToItself(string name)
    {
        Tokenizer tokenizer = Form(name);
        Gen<string> texts = Gen.Choose(0, 0x10FFFF - 0x800)
            .Select(c => new Rune(c < 0xD800 ? c : c + 0x800).ToString())
            .Or(Gen.Elements(" ", "  ", "\n", "e\u0301", "'S", "12", "a", "\u1112\u1161\u11A8"))
            .ListOf()
            .Select(runes => string.Concat(runes).Replace('\u2581', ' '));
        Check.QuickThrowOnFailure(Prop.ForAll(Arb.From(texts), text => tokenizer.Decode(tokenizer.Encode(text)) == Normal(text)));

        string Normal(string text) => name == "qwen"
            ? Encoding.UTF8.GetString(CanonicalComposition.Normalize(Encoding.UTF8.GetBytes(text)))
            : text;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SavedTokenizersLoadAsTheSame(string name, Type type)
    {
        using var folder = new TemporaryFolder();
        Tokenizer tokenizer = Form(name);
        tokenizer.Save(folder.File("tokenizer.json"));
        Tokenizer loaded = Tokenizer.Load(folder.Path);
        Assert.IsType(type, loaded);
        Assert.Equal(tokenizer.Fingerprint, loaded.Fingerprint);
        Assert.Equal(tokenizer.VocabularySize, loaded.VocabularySize);
        Assert.Equal(tokenizer.Encode("The tree's 1234 leaves"), loaded.Encode("The tree's 1234 leaves"));
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            Assert.Equal(id, tokenizer.IdOf(tokenizer.TokenOf(id)));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SpecialTokensInTextAreWordsUnlessAllowed(string name, Type type)
    {
        Tokenizer tokenizer = Form(name);
        Assert.IsType(type, tokenizer);
        AddedToken special = tokenizer.AddedTokens.Last(token => token.IsSpecial);
        string text = $"a {special.Content} b [NEW]";
        Assert.Contains(special.Id, tokenizer.Encode(text, allowSpecial: true));
        if (type == typeof(ByteLevelBpe) || name == "word-level")
        {
            Assert.DoesNotContain(special.Id, tokenizer.Encode(text));
        }

        if (tokenizer.IdOf("[NEW]") is int ordinary)
        {
            Assert.Contains(ordinary, tokenizer.Encode(text));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void StreamsGiveTheTextThatDecodesAtOnce(string name, Type type)
    {
        Tokenizer tokenizer = Form(name);
        Assert.IsType(type, tokenizer);
        int[] ids = tokenizer.Encode("The trees grow 🌳 naïve 漢字 12 times");
        for (int context = 0; context <= 3; context++)
        {
            var stream = new DecodeStream(tokenizer, ids.Take(context));
            var bytes = new List<byte>();
            foreach (int id in ids.Skip(context))
            {
                bytes.AddRange(stream.Next(id));
            }

            bytes.AddRange(stream.Rest());
            Assert.Equal(tokenizer.Decode(ids), tokenizer.Decode(ids[..context]) + Encoding.UTF8.GetString([.. bytes]));
        }
    }

    /// <summary>transformers resets a space before the text that tokenizer_config.json does not tell of.</summary>
    [Fact]
    public void TheConfigFileTellsOfASpaceBeforeTheText()
    {
        using var folder = new TemporaryFolder();
        folder.Write("vocab.json", """{"\u0120a": 0, "a": 1, "\u0120": 2, "<|endoftext|>": 3}""");
        folder.Write("merges.txt", "#version: 0.2\n\u0120 a\n");
        Assert.Null(TokenizerConfigFile.Of(Tokenizer.Load(folder.Path))["add_prefix_space"]);
        folder.Write("tokenizer_config.json", """{"add_prefix_space": true}""");
        var tokenizer = Tokenizer.Load(folder.Path);
        Assert.Equal([0], tokenizer.Encode("a"));
        Assert.True(TokenizerConfigFile.Of(tokenizer)["add_prefix_space"]!.GetValue<bool>());
    }

    [Fact]
    public void TokensThatBeginAndEndTextsAreKnown()
    {
        Tokenizer llama3 = Form("llama3"), llama2 = Form("llama2");
        Assert.Equal(llama3.IdOf("<|begin_of_text|>"), llama3.BeginOfSequence);
        Assert.Equal(llama3.EndOfText, llama3.EndOfSequence);
        Assert.Equal(1, llama2.BeginOfSequence);
        Assert.Equal(2, llama2.EndOfSequence);
        Assert.Equal(1, llama2.DocumentBoundary);
        Assert.Equal(0, llama2.Unknown);
        using var folder = new TemporaryFolder();
        Form("word-level").Save(folder.File("tokenizer.json"));
        Assert.Null(Tokenizer.Load(folder.Path).BeginOfSequence);
        folder.Write("tokenizer_config.json", """{"bos_token": "<s>", "eos_token": {"content": "<s>"}}""");
        Tokenizer configured = Tokenizer.Load(folder.Path);
        Assert.Equal(configured.IdOf("<s>"), configured.BeginOfSequence);
        Assert.Equal(configured.IdOf("<s>"), configured.EndOfSequence);
        Assert.False(configured.AddsBeginOfSequence);
    }

    [Fact]
    public void DatasetsKeepWhatOnlyTheConfigOfATokenizerSays()
    {
        using var folder = new TemporaryFolder();
        Form("word-level").Save(folder.File("tokenizer.json"));
        folder.Write("tokenizer_config.json", """{"bos_token": "<s>"}""");
        string[] texts = [folder.Write("a.txt", "the trees grow"), folder.Write("b.txt", "a tree grows")];
        var tokenizer = Tokenizer.Load(folder.File("tokenizer.json"));
        string data = folder.File("data");
        CorpusPreparer.Prepare(Corpus.Open(texts), data, new PreparationOptions { Tokenizer = tokenizer, HeldOutFiles = ["b.txt"] });
        Assert.Equal(tokenizer.BeginOfSequence, Tokenizer.Load(data).BeginOfSequence);
        Assert.NotNull(tokenizer.BeginOfSequence);
    }

    private static class Hash
    {
        public const uint Empty = 0x811c9dc5;

        public static uint Of(IEnumerable<int> values, uint hash) =>
            values.Append(-1).Aggregate(hash, (h, value) => unchecked((h ^ (uint)value) * 0x01000193));
    }
}
