using System.Text;
using Espalier.Data;

namespace Espalier.Tests.Data;

public class BpeTrainerTests
{
    private static readonly string Golden = Path.Combine(AppContext.BaseDirectory, "golden", "tokenizer");

    private static IEnumerable<Document> Lines() =>
        from line in File.ReadAllLines(Path.Combine(Golden, "training.txt"))
        select new Document("training.txt", Encoding.UTF8.GetBytes(line + "\n"), 0);

    [Fact]
    public void LearnsWhatHuggingFaceLearns() =>
        Assert.Equal(Tokenizer.Load(Golden).Fingerprint, BpeTrainer.Train(Lines(), 457).Fingerprint);

    [Fact]
    public void EndOfTextIsTheLastOfTheVocabularyAsked()
    {
        ByteLevelBpe trained = BpeTrainer.Train(Lines(), 300);
        Assert.Equal(300, trained.VocabularySize);
        Assert.Equal(299, trained.EndOfText);
        Assert.Equal(43, trained.MergeCount);
        Assert.Equal(0, BpeTrainer.Train(Lines(), 257).MergeCount);
    }

    [Fact]
    public void TheOrderOfDocumentsDoesNotMatter() =>
        Assert.Equal(BpeTrainer.Train(Lines(), 400).Fingerprint, BpeTrainer.Train(Lines().Reverse(), 400).Fingerprint);

    [Fact]
    public void AVocabularyThatTheTextCannotSupportIsAnErrorThatSaysWhichItCan()
    {
        Document[] text = [new Document("a.txt", "abab"u8.ToArray(), 0)];
        var error = Assert.Throws<UserErrorException>(() => BpeTrainer.Train(text, 1000));
        Assert.Contains("259", error.Message, StringComparison.Ordinal);
        Assert.Equal(259, BpeTrainer.Train(text, 259).VocabularySize);
        Assert.Throws<UserErrorException>(() => BpeTrainer.Train(text, 256));
    }
}
