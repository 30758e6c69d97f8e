using System.Text;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public sealed class DocumentSplitTests : IDisposable
{
    private static readonly string[] Words =
        ["a", "Wort ", "é", "漢字", "\n", " ", "two words ", "line\n", "😀", "\t", "end.\n\n", "ü\n"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private sealed record Case(string[] Texts, double Fraction, ulong Seed, int PieceBytes);

    private static readonly Gen<Case> Cases =
        from count in Gen.Frequency((3, Gen.Choose(1, 3)), (1, Gen.Choose(4, 40)))
        from texts in Gen.ArrayOf(Gen.NonEmptyListOf(Gen.Elements(Words)).Select(words => string.Concat(words)), count)
        from fraction in Gen.Elements(1e-18, 1e-6, 0.01, 0.05, 0.3, 0.5, 0.9, 0.999, 1 - 1e-16)
        from seed in Gen.Choose(0, 1000)
        from piece in Gen.Elements(4, 16, 1 << 16)
        select new Case(texts, fraction, (ulong)seed, piece);

    /// <summary>Whatever the corpus, no side is empty, nothing is lost and no document but an only one is on both.</summary>
    [Fact]
    public void NoSideIsEverEmpty()
    {
        int number = 0;
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(400), Prop.ForAll(Arb.From(Cases), drawn =>
        {
            Corpus corpus = CorpusOf($"corpus{number++}", drawn.Texts);
            corpus.PieceBytes = drawn.PieceBytes;
            var options = new PreparationOptions { HeldOutFraction = drawn.Fraction, Seed = drawn.Seed };
            if (drawn.Texts is [var only] && only.EnumerateRunes().Count() == 1)
            {
                Assert.Contains("single character", Assert.Throws<UserErrorException>(() => Split(corpus, options)).Message,
                    StringComparison.Ordinal);
                return;
            }

            (string[] train, string[] heldOut) = Split(corpus, options);
            Assert.True(train.Length > 0 && heldOut.Length > 0, $"{train.Length} and {heldOut.Length} documents");
            Assert.All(train.Concat(heldOut), text => Assert.NotEqual("", text));
            if (drawn.Texts is [var whole])
            {
                Assert.Equal(whole, Assert.Single(train) + Assert.Single(heldOut));
                return;
            }

            Assert.Equal(drawn.Texts.Order(StringComparer.Ordinal), train.Concat(heldOut).Order(StringComparer.Ordinal));

            // Where the draw has both, it stands; else one document alone is where the draw has not put it.
            bool[] below = [.. drawn.Texts.Select((_, i) => Draw(drawn.Seed, i) < drawn.Fraction)];
            int expected = Math.Clamp(below.Count(held => held), 1, below.Length - 1);
            Assert.Equal(expected, heldOut.Length);
            if (below.Contains(true) && below.Contains(false))
            {
                Assert.Equal(drawn.Texts.Where((_, i) => below[i]), heldOut);
            }
        }));
    }

    /// <summary>Of two documents, the one whose draw is lower: not always the first.</summary>
    [Fact]
    public void OfFewDocumentsTheLowestDrawIsHeldOut()
    {
        Corpus corpus = CorpusOf("two", ["first", "second"]);
        var held = new HashSet<string>();
        for (ulong seed = 0; seed < 20; seed++)
        {
            foreach (double fraction in new[] { 1e-18, 1 - 1e-16 })
            {
                var options = new PreparationOptions { HeldOutFraction = fraction, Seed = seed };
                string only = Assert.Single(Split(corpus, options).HeldOut);
                Assert.Equal(Draw(seed, 0) < Draw(seed, 1) ? "first" : "second", only);
                held.Add(only);
            }
        }

        Assert.Equal(2, held.Count);
    }

    [Fact]
    public void TheDatasetSaysThatFewDocumentsWereTooFew()
    {
        Corpus corpus = CorpusOf("two", ["first", "second"]);
        Dataset few = CorpusPreparer.Prepare(
            corpus, _folder.File("few"), new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFraction = 1e-6 });
        Assert.Equal((1, 1), (few.Train.Documents, few.Valid.Documents));
        Assert.StartsWith("held out: one document, drawn with seed 42; ", few.Split, StringComparison.Ordinal);
        Dataset many = CorpusPreparer.Prepare(
            corpus, _folder.File("many"), new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFraction = 0.999999 });
        Assert.Equal((1, 1), (many.Train.Documents, many.Valid.Documents));
        Assert.StartsWith("held out: all documents but one, drawn with seed 42; ", many.Split, StringComparison.Ordinal);
    }

    /// <summary>Names are looked at before a vocabulary is trained or a token made.</summary>
    [Theory]
    [InlineData("nothing*", "None of the 3 files")]
    [InlineData("*", "All documents")]
    [InlineData("empty*", "hold no text")]
    [InlineData("full*", "All documents")]
    public void NamesThatLeaveASideEmptyAreRefusedBeforeTheWork(string pattern, string says)
    {
        _folder.Write("named/full1.txt", "text");
        _folder.Write("named/full2.txt", "text");
        _folder.Write("named/empty.txt", "");
        var activities = new HashSet<string>();
        var error = Assert.Throws<UserErrorException>(() => CorpusPreparer.Prepare(
            Corpus.Open([_folder.File("named")]), _folder.File("out"),
            new PreparationOptions { Training = new VocabularyTraining(300), HeldOutFiles = [pattern] },
            progress => activities.Add(progress.Activity)));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Contains(pattern, error.Hint, StringComparison.Ordinal);
        Assert.Equal(["reading"], activities);
    }

    [Fact]
    public void TextThatComesToNoTokenIsRefused()
    {
        Corpus corpus = CorpusOf("white", ["words", " \n\t", "words"]);
        var error = Assert.Throws<UserErrorException>(() => CorpusPreparer.Prepare(
            corpus, _folder.File("out"),
            new PreparationOptions { Tokenizer = WordPiece.Characters, HeldOutFiles = ["0001.txt"] }));
        Assert.Contains("held-out text, 3 bytes, comes to no token", error.Message, StringComparison.Ordinal);
        Assert.Contains("--holdout", error.Hint, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder.File("out")));
    }

    private static double Draw(ulong seed, int document) =>
        new CounterRandom(seed, RandomPurpose.DocumentSplit, document).NextDouble();

    private Corpus CorpusOf(string name, string[] texts)
    {
        for (int i = 0; i < texts.Length; i++)
        {
            _folder.Write($"{name}/{i:0000}.txt", texts[i]);
        }

        return Corpus.Open([_folder.File(name)]);
    }

    /// <summary>The documents of both sides, put together from their pieces.</summary>
    private static (string[] Train, string[] HeldOut) Split(Corpus corpus, PreparationOptions options)
    {
        List<List<byte>> train = [], heldOut = [];
        var split = DocumentSplit.Of(corpus, options, CancellationToken.None);
        foreach ((Document piece, bool isHeldOut) in split.Assign(corpus.Documents()))
        {
            List<List<byte>> side = isHeldOut ? heldOut : train;
            if (!piece.Continues)
            {
                side.Add([]);
            }

            side[^1].AddRange(piece.Text.Span);
        }

        return (Texts(train), Texts(heldOut));

        // Half a character would not survive.
        static string[] Texts(List<List<byte>> side) =>
            [.. side.Select(bytes => new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. bytes]))];
    }
}
