using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public class MixtureTests
{
    private static readonly PreparationOptions Bytes = new() { Tokenizer = ByteLevelBpe.RawBytes, HeldOutFraction = 0.2 };

    /// <summary>Whatever the texts and weights: each share is exact to half of the longest document, and nothing else changes.</summary>
    [Fact]
    public void SharesAreExactToHalfADocument()
    {
        var cases =
            from a in Gen.Choose(1, 60).ListOf(20)
            from b in Gen.Choose(1, 60).ListOf(7)
            from weight in Gen.Choose(1, 99)
            select (a, b, weight);
        Prop.ForAll(cases.ToArbitrary(), drawn =>
        {
            using var folder = new TemporaryFolder();
            folder.Write("a.txt", string.Join('\n', drawn.a.Select(length => new string('a', length))));
            folder.Write("b.txt", string.Join('\n', drawn.b.Select(length => new string('b', length))));
            string[] inputs = [folder.File("a.txt"), folder.File("b.txt")];
            double share = drawn.weight / 100.0;
            Dataset plain = CorpusPreparer.Prepare(Corpus.Open(inputs, documents: TextDocuments.Line), folder.File("plain"), Bytes);
            string plainTrain = Text(plain.OpenTrain()), plainValid = Text(plain.OpenValid());
            if (!plainTrain.Contains('a', StringComparison.Ordinal) || !plainTrain.Contains('b', StringComparison.Ordinal))
            {
                return;
            }

            Dataset mixed = CorpusPreparer.Prepare(
                Corpus.Open(inputs, documents: TextDocuments.Line, weights: [2 * share, 2 * (1 - share)]), folder.File("mixed"), Bytes);
            string train = Text(mixed.OpenTrain());
            Assert.InRange(train.Count(letter => letter == 'a') - share * plain.Train.Bytes, -30, 30);
            Assert.InRange(train.Count(letter => letter == 'b') - (1 - share) * plain.Train.Bytes, -30, 30);
            Assert.Equal(plainValid, Text(mixed.OpenValid()));
            Assert.NotEqual(plain.Inputs, mixed.Inputs);

            // Documents come whole.
            Assert.Empty(train.Split('|').Except(plainTrain.Split('|')));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40));
    }

    /// <summary>Long texts come in pieces, and are repeated as wholes; what is due twice comes twice.</summary>
    [Fact]
    public void TextsInPiecesAreRepeatedWhole()
    {
        using var folder = new TemporaryFolder();
        string numbers = string.Join(' ', Enumerable.Range(0, 30_000));
        folder.Write("a/1.txt", numbers);
        folder.Write("b/1.txt", new string('b', 3 * numbers.Length));
        folder.Write("valid/2.txt", "held out");
        Dataset mixed = CorpusPreparer.Prepare(
            Corpus.Open([folder.File("a"), folder.File("b"), folder.File("valid")], weights: null), folder.File("plain"), Bytes with { HeldOutFiles = ["2.txt"] });
        Assert.Null(mixed.Mixture);

        folder.Write("a/2.txt", "held out");
        mixed = CorpusPreparer.Prepare(
            Corpus.Open([folder.File("a"), folder.File("b")], weights: [1, 1]), folder.File("mixed"), Bytes with { HeldOutFiles = ["2.txt"] });
        Assert.Equal($"|{numbers}|{numbers}|{new string('b', 3 * numbers.Length)}", Text(mixed.OpenTrain()));
        Assert.Equal("|held out", Text(mixed.OpenValid()));
        Assert.Contains($"{folder.File("a")}, each text 2 times", mixed.Mixture, StringComparison.Ordinal);
        Assert.Equal(mixed.Mixture, Dataset.Open(folder.File("mixed")).Mixture);
    }

    [Fact]
    public void ImpossibleWeightsAreNamed()
    {
        using var folder = new TemporaryFolder();
        string a = folder.Write("a.txt", "some text"), b = folder.Write("b.txt", "");
        string c = folder.Write("c.txt", "more text");
        Assert.Contains($"{b} has a weight, and no text to train on", Error([a, b, c], [1, 1, 1]), StringComparison.Ordinal);
        Assert.Contains($"The weight of {c} is -1", Error([a, c], [1, -1]), StringComparison.Ordinal);
        Assert.Contains("must be above 0", Error([a, c], [1, double.NaN]), StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("out")));

        string Error(string[] paths, double[] weights) => Assert.Throws<UserErrorException>(
            () => CorpusPreparer.Prepare(Corpus.Open(paths, weights: weights), folder.File("out"), Bytes with { HeldOutFraction = 0.5 })).Message;
    }

    /// <summary>The documents, with a bar before each.</summary>
    private static string Text(TokenShard shard)
    {
        using (shard)
        {
            var tokens = new long[shard.Count];
            shard.CopyTo(0, tokens);
            return string.Concat(tokens.Select(token => token == ByteLevelBpe.RawBytes.EndOfText ? '|' : (char)token));
        }
    }
}
