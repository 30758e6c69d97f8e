using System.Text;
using Espalier.Data;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Data;

public class CharacterTokenizerTests
{
    private static Tokenizer Of(string text) =>
        VocabularyTraining.OfCharacters.Train([new Document("a", Encoding.UTF8.GetBytes(text), 0)]);

    [Fact]
    public void EveryCharacterIsAToken()
    {
        Tokenizer tokenizer = Of("to be 🙂");
        Assert.Equal(["[UNK]", " ", "b", "e", "o", "t", "🙂", "<|endoftext|>"], Enumerable.Range(0, 8).Select(tokenizer.TokenOf));
        Assert.Equal(8, tokenizer.VocabularySize);
        Assert.Equal([5, 4, 0, 6], tokenizer.Encode("to!🙂"));
        Assert.Equal("to[UNK]🙂", tokenizer.Decode([5, 4, 0, 6]));
        Assert.Equal(7, tokenizer.DocumentBoundary);
    }

    /// <summary>Hugging Face's own library gives the same ids and texts for the file that is saved.</summary>
    [Fact]
    public void HuggingFacesLibraryAgrees()
    {
        using var folder = new TemporaryFolder();
        string file = folder.File("tokenizer.json");
        Tokenizer ours = Of("The quick brown fox, é ü 🙂\n\tjumps.");
        ours.Save(file);
        Tokenizer loaded = Tokenizer.Load(file);
        Assert.IsType<CharacterTokenizer>(loaded);
        Assert.Equal(ours.Fingerprint, loaded.Fingerprint);
        var json = TokenizerJson.Read(file);
        Tokenizer theirs = HuggingFaceTokenizer.FromJson(json, json.Unsupported("a comparison"));
        Gen<string> texts = Gen.Elements("a", "The", " fox", "é", "ü", "🙂", "\n", "\t", "?", "漢", "e\u0301", " ").ListOf().Select(string.Concat);
        Prop.ForAll(texts.ToArbitrary(), text =>
        {
            int[] ids = theirs.Encode(text);
            Assert.Equal(ids, loaded.Encode(text));
            Assert.Equal(theirs.Decode(ids), loaded.Decode(ids));
        }).QuickCheckThrowOnFailure();
    }
}
