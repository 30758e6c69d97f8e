using System.Text;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

/// <summary>Long .txt files come in pieces, and nothing may depend on where they are cut.</summary>
public sealed class PiecesTests : IDisposable
{
    private static readonly string[] Snippets =
    [
        " ", " ", "\n", "\n", "\r\n", "\t", "\u00A0", "\u3000", "\u2028", "\u0085", "\u001C", "\u200B", "\uFEFF", "\u0000",
        "a", "Ab", "'s", "'", "12", "...", "word", "é", "e\u0301", "\u0301", "\u0323", "ß", "Σ", "İ", "中", "文字", "カ\u3099",
        "한", "\u1112", "\u1161", "😀", "<|endoftext|>", "[SEP]",
    ];

    private static readonly Arbitrary<(string Text, int PieceBytes)> TextsAndPieces = Arb.From(
        from snippets in Gen.Elements(Snippets).ListOf()
        from pieceBytes in Gen.Choose(1, 12)
        select (string.Concat(snippets), pieceBytes));

    private static readonly Tokenizer Bpe =
        Tokenizer.Load(Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer"));

    /// <summary>Has tokens of several white space characters, which a cut within white space would miss.</summary>
    private static readonly Tokenizer SpacesBpe = BpeTrainer.Train(
        [new Document("a.txt", Encoding.UTF8.GetBytes("a\n\n\na    a\n \na\t \ta\u3000 \u3000a \r\n\r\n  a\u00A0  \n"), 0)], 272);

    private readonly TemporaryFolder _folder = new(inMemory: true);

    public void Dispose() => _folder.Dispose();

    private static WordPiece Bert(bool lowercase)
    {
        string[] parts = [.. Snippets.Where(s => !s.Any(char.IsWhiteSpace) && s[0] is not ('[' or '<')).Distinct()];
        return WordPiece.Create(
            [.. WordPiece.SpecialTokens, .. parts, .. parts.Select(part => "##" + part), "e", "##e", "ab", "##ab", "aa", "##12a"],
            lowercase);
    }

    private Corpus Text(string text, int pieceBytes, string name = "a.txt")
    {
        Corpus corpus = Corpus.Open([_folder.Write(name, text)]);
        corpus.PieceBytes = pieceBytes;
        return corpus;
    }

    [Fact]
    public void PiecesEncodeLikeTheWhole()
    {
        Tokenizer[] tokenizers = [Bpe, SpacesBpe, ByteLevelBpe.RawBytes, Bert(lowercase: true), Bert(lowercase: false)];
        Assert.All(tokenizers, tokenizer => Assert.True(tokenizer.EncodesPieces));
        int cuts = 0;
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(1000),
            Prop.ForAll(TextsAndPieces, input =>
            {
                string text = input.Text.TrimStart('\uFEFF');
                if (text.Length == 0)
                {
                    return true;
                }

                Document[] pieces = [.. Text(text, input.PieceBytes).Documents()];
                cuts += pieces.Length - 1;
                return !pieces[0].Continues && pieces[1..].All(piece => piece.Continues)
                    && text == string.Concat(pieces.Select(piece => Encoding.UTF8.GetString(piece.Text.Span)))
                    && tokenizers.All(tokenizer =>
                    {
                        var ids = new List<int>();
                        foreach (Document piece in pieces)
                        {
                            tokenizer.Encode(piece.Text.Span, ids);
                        }

                        return ids.SequenceEqual(tokenizer.Encode(text));
                    })
                    && Words(pieces) == Words([new Document("a.txt", Encoding.UTF8.GetBytes(text), 0)]);
            }));
        Assert.True(cuts > 1000, $"{cuts} cuts");

        static DatasetPart Words(Document[] pieces) =>
            TokenizedBatch.Of([.. pieces.Select(piece => (piece, false))], Bpe).TrainPart;
    }

    [Fact]
    public void DatasetsDoNotDependOnThePieces()
    {
        int run = 0;
        var texts = Gen.Elements(Snippets).ListOf(60).Select(snippets => string.Concat(snippets) + "x");
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(25),
            Prop.ForAll(Arb.From(texts), Arb.From(Gen.Choose(1, 40)), Arb.From(Gen.Elements(0.03, 0.25, 0.9)), (text, pieceBytes, share) =>
            {
                var options = new PreparationOptions { Tokenizer = SpacesBpe, HeldOutFraction = share };
                Same(Text(text, 1 << 16), Text(text, pieceBytes), options);
                _folder.Write($"{run}/a.txt", text);
                _folder.Write($"{run}/b.txt", "\uFEFF" + text + text);
                Corpus whole = Corpus.Open([_folder.File($"{run}")]), cut = Corpus.Open([_folder.File($"{run}")]);
                cut.PieceBytes = pieceBytes;
                Same(whole, cut, new PreparationOptions { Training = new VocabularyTraining(258), HeldOutFiles = ["b*"] });
            }));

        void Same(Corpus whole, Corpus cut, PreparationOptions options)
        {
            run++;
            string expected = _folder.File($"whole{run}"), actual = _folder.File($"cut{run}");
            CorpusPreparer.Prepare(whole, expected, options);
            CorpusPreparer.Prepare(cut, actual, options);
            Assert.All(Directory.GetFiles(expected), file =>
                Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(actual, Path.GetFileName(file)))));
        }
    }

    [Fact]
    public void AnOnlyDocumentIsCutAtTheFirstLineEndOrSpaceOfItsEnd()
    {
        var texts = Gen.Elements("\n", " ", "é", "ab", "中").ListOf().Select(parts => "<" + string.Concat(parts) + ">");
        int run = 0;
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(60),
            Prop.ForAll(Arb.From(texts), Arb.From(Gen.Choose(1, 8)), (text, pieceBytes) =>
            {
                byte[] bytes = Encoding.UTF8.GetBytes(text);
                int cut = bytes.Length / 2;
                int[] after = [.. "\n "u8.ToArray().Select(b => Array.IndexOf(bytes, b, cut) + 1).Where(at => at > 0 && at < bytes.Length)];
                while (after.Length == 0 && (bytes[cut] & 0xC0) == 0x80)
                {
                    cut--;
                }

                var options = new PreparationOptions { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFraction = 0.5 };
                Dataset dataset = CorpusPreparer.Prepare(Text(text, pieceBytes), _folder.File($"only{run++}"), options);
                Assert.Equal(after.Length > 0 ? after[0] : cut, dataset.Train.Bytes);
                Assert.Equal((1, 1, bytes.Length), (dataset.Train.Documents, dataset.Valid.Documents, dataset.Train.Bytes + dataset.Valid.Bytes));
            }));
    }

    [Fact]
    public void InvalidUtf8IsNamedByItsPlaceInTheFile()
    {
        byte[] valid = Encoding.UTF8.GetBytes("\uFEFFun été à la mer\n\n été");
        foreach (byte[] wrong in new byte[][] { [0xFF], [0xC3], [0xE4, 0xB8], [0xA9] })
        {
            foreach (string rest in new[] { "", " ", "\nun" })
            {
                for (int pieceBytes = 1; pieceBytes < 40; pieceBytes++)
                {
                    Corpus corpus = Corpus.Open([_folder.Write("a.txt", [.. valid, .. wrong, .. Encoding.UTF8.GetBytes(rest)])]);
                    corpus.PieceBytes = pieceBytes;
                    var error = Assert.Throws<UserErrorException>(() => corpus.Documents().Count());
                    Assert.Contains($"0x{wrong[0]:X2} at offset {valid.Length} ", error.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void ATextIsNotCutWhereAnAddedTokenMayReachAcross()
    {
        string file = Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer", "tokenizer.json");
        Assert.Contains("\"added_tokens\": [", File.ReadAllText(file), StringComparison.Ordinal);
        foreach ((string content, bool stripsRight, bool pieces) in new[] { ("of the", false, false), ("xyz", true, false), ("xyz", false, true) })
        {
            string added = $$"""
                "added_tokens": [{"id": {{Bpe.VocabularySize}}, "content": "{{content}}", "single_word": false, "lstrip": false,
                "rstrip": {{(stripsRight ? "true" : "false")}}, "normalized": false, "special": false},
                """;
            Tokenizer tokenizer = Tokenizer.Load(_folder.Write(
                "tokenizer.json", File.ReadAllText(file).Replace("\"added_tokens\": [", added, StringComparison.Ordinal)));
            Assert.Equal(pieces, tokenizer.EncodesPieces);
            const string Text = "one of the few xyz  words";
            TokenizedBatch batch = TokenizedBatch.Of(
                [.. this.Text(Text, pieceBytes: 4).DocumentsFor(tokenizer).Select(piece => (piece, false))], tokenizer);
            Assert.Equal([tokenizer.DocumentBoundary!.Value, .. tokenizer.Encode(Text)], batch.Train);
            Assert.Contains(Bpe.VocabularySize, batch.Train);
        }
    }
}
