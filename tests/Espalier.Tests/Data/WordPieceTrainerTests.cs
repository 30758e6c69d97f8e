using System.Text;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public class WordPieceTrainerTests
{
    private static readonly string Golden = Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer");

    private static Document[] Texts(params IEnumerable<string> texts) =>
        [.. texts.Select(text => new Document("a.txt", Encoding.UTF8.GetBytes(text), 0))];

    private static string[] Vocabulary(WordPiece tokenizer) =>
        [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(id => tokenizer.TokenOf(id))];

    [Fact]
    public void ASmallTextIsLearntAsByHand()
    {
        // xab once and yab twice: ##a ##b occurs 3 times, y ##ab twice, x ##ab once.
        Document[] text = Texts("Xab yab,", "yab.");
        string[] expected =
        [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "a", "b", "x", "y", "##a", "##b", "##ab", "yab",
        ];
        Assert.Equal(expected, Vocabulary(WordPieceTrainer.Train(text, 100)));
        Assert.Equal([.. expected, "xab"], Vocabulary(WordPieceTrainer.Train(text, 100, minFrequency: 1)));
        Assert.Equal(expected[..14], Vocabulary(WordPieceTrainer.Train(text, 14)));
        Assert.Contains("X", Vocabulary(WordPieceTrainer.Train(text, 100, lowercase: false)));
    }

    [Fact]
    public void OfEquallyFrequentPairsTheFirstIsTaken() =>
        Assert.Equal(["ab", "cd"], Vocabulary(WordPieceTrainer.Train(Texts("cd cd ab ab"), 100))[^2..]);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EveryWordOfTheTextIsKnown(bool lowercase)
    {
        string text = File.ReadAllText(Path.Combine(Golden, "training.txt"));
        WordPiece tokenizer = WordPieceTrainer.Train(Texts(text), 300, lowercase, minFrequency: 1);
        Assert.Equal(300, tokenizer.VocabularySize);
        Assert.DoesNotContain(tokenizer.Unknown!.Value, tokenizer.Encode(text));
    }

    [Fact]
    public void NeitherThreadsNorTheOrderOfDocumentsMatter()
    {
        // More than one batch of words to count.
        string[] texts = [.. Enumerable.Range(0, 12_000).Select(
            i => $"Document {i} of quite some length, so that there is more than one batch of them: {i * 7919} {i * 104_729L:x}")];
        string first = WordPieceTrainer.Train(Texts(texts), 600).Fingerprint;
        Assert.Equal(first, WordPieceTrainer.Train(Texts(texts), 600).Fingerprint);
        Assert.Equal(first, WordPieceTrainer.Train(Texts(texts.Reverse()), 600).Fingerprint);
    }

    /// <summary>Marks after ideographs, ideographs that decompose, and such beyond U+FFFF among them.</summary>
    [Fact]
    public void WordsMayBeCountedByIdeographs()
    {
        string[] parts = ["中", "国", "\uF900", "\U0002A6D6", "\u0301", "\u0323", "É", "ǆ", "，", ".", " ", "abcdefghi", "İ"];
        Check.QuickThrowOnFailure(Prop.ForAll(Arb.From(Gen.Elements(parts).ListOf()), some =>
        {
            byte[] text = Encoding.UTF8.GetBytes(string.Concat(some));
            var splitter = new BertSplitter(BertNormalizer.Usual(lowercase: true));
            var cut = new List<string>();
            for (int at = 0, length; at < text.Length; at += length)
            {
                length = BertSplitter.NextChunkOrIdeograph(text.AsSpan(at));
                cut.AddRange(Words(splitter, text.AsSpan(at, length)));
            }

            Assert.Equal(Words(splitter, text), cut);
        }));

        byte[] chinese = Encoding.UTF8.GetBytes("中国，人" + string.Concat(Enumerable.Repeat("民中国", 100)));
        Assert.Equal("中"u8.Length, BertSplitter.NextChunkOrIdeograph(chinese));
        Assert.Equal("国，"u8.Length, BertSplitter.NextChunkOrIdeograph(chinese.AsSpan("中"u8.Length)));

        static string[] Words(BertSplitter splitter, ReadOnlySpan<byte> text)
        {
            var words = new WordList();
            splitter.Split(text, words);
            return [.. Enumerable.Range(0, words.Count).Select(i => Encoding.UTF8.GetString(words[i]))];
        }
    }

    [Fact]
    public void TheRarestOfTooManyCharactersAreUnknown()
    {
        string[] syllables = [.. Enumerable.Range(0, 1001).Select(i => ((char)('가' + i)).ToString())];
        string rare = syllables[0], frequent = string.Join(' ', syllables[1..]);
        WordPiece tokenizer = WordPieceTrainer.Train(Texts($"{frequent} {frequent} {rare}{syllables[1]}"), 2000, lowercase: false);
        Assert.Equal([tokenizer.Unknown!.Value], tokenizer.Encode(rare));
        Assert.DoesNotContain(tokenizer.Unknown!.Value, tokenizer.Encode(frequent));

        // What a vanished character preceded still continues a word.
        Assert.Equal(5 + 1000 + 1, tokenizer.VocabularySize);
        Assert.Equal("##" + syllables[1], tokenizer.TokenOf(1005));
    }

    [Fact]
    public void AVocabularyTooSmallForTheCharactersIsAnErrorThatSaysWhatIsNeeded()
    {
        var error = Assert.Throws<UserErrorException>(() => WordPieceTrainer.Train(Texts("abc"), 9));
        Assert.Contains("10", error.Hint, StringComparison.Ordinal);
        Assert.Equal(10, WordPieceTrainer.Train(Texts("abc"), 10).VocabularySize);
        Assert.Throws<UserErrorException>(() => WordPieceTrainer.Train(Texts("abc"), 100, minFrequency: 0));
    }
}
