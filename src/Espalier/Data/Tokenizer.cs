using System.Security.Cryptography;
using System.Text;

namespace Espalier.Data;

/// <summary>
/// Turns text into token ids and back; kept on disk as a Hugging Face <c>tokenizer.json</c>. Immutable, and safe to use
/// from several threads.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>The token that stands before every document.</summary>
    public const string EndOfTextToken = "<|endoftext|>";

    private readonly Lazy<string> _fingerprint;

    private protected Tokenizer(IReadOnlyList<AddedToken> addedTokens)
    {
        AddedTokens = addedTokens;
        EndOfText = addedTokens.FirstOrDefault(token => token.Content == EndOfTextToken)?.Id;
        _fingerprint = new Lazy<string>(() => Convert.ToHexStringLower(SHA256.HashData(ToJson())));
    }

    /// <summary>The number of ids, 0 to this less one; a model needs as many rows of embedding.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The id of <see cref="EndOfTextToken"/>, or null when the vocabulary has none.</summary>
    public int? EndOfText { get; }

    /// <summary>The id of [CLS], or null when the vocabulary has none.</summary>
    public int? Cls => IdOf("[CLS]");

    /// <summary>The id of [SEP], or null when the vocabulary has none.</summary>
    public int? Sep => IdOf("[SEP]");

    /// <summary>The id of [MASK], or null when the vocabulary has none.</summary>
    public int? Mask => IdOf("[MASK]");

    /// <summary>Whether an id is that of a special token.</summary>
    public bool IsSpecial(int id) => AddedTokens.Any(token => token.IsSpecial && token.Id == id);

    /// <summary>The id of a token.</summary>
    public int? IdOf(string token) => AddedTokens.FirstOrDefault(added => added.Content == token)?.Id;

    /// <summary>The tokens outside the model's own segmentation.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>SHA-256 in hexadecimal of the tokenizer as <see cref="Save"/> writes it: equal if they encode alike.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>The token ids of a text.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <param name="allowSpecial">
    /// Whether special tokens written out in the text become their ids. Leave it off for text from elsewhere.
    /// </param>
    public int[] Encode(string text, bool allowSpecial = false)
    {
        var ids = new List<int>();
        Encode(Encoding.UTF8.GetBytes(text), ids, allowSpecial);
        return [.. ids];
    }

    /// <summary>Appends the token ids of a UTF-8 text to <paramref name="ids"/>.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="allowSpecial">Whether special tokens written out in the text become their ids.</param>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> ids, bool allowSpecial = false)
    {
        while (TryFindAdded(utf8, allowSpecial, out int start, out int length, out int id))
        {
            EncodeOrdinary(utf8[..start], ids);
            ids.Add(id);
            utf8 = utf8[(start + length)..];
        }

        EncodeOrdinary(utf8, ids);
    }

    /// <summary>The text of some ids; bytes that are no valid UTF-8 become U+FFFD.</summary>
    /// <exception cref="UserErrorException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeToBytes(ids));

    /// <summary>The bytes of some ids, which need not end at the end of a character.</summary>
    /// <exception cref="UserErrorException">An id is outside the vocabulary.</exception>
    public abstract byte[] DecodeToBytes(ReadOnlySpan<int> ids);

    /// <summary>The token of an id as <c>tokenizer.json</c> writes it.</summary>
    /// <exception cref="UserErrorException">The id is outside the vocabulary.</exception>
    public abstract string TokenOf(int id);

    /// <summary>Saves the tokenizer as a Hugging Face <c>tokenizer.json</c>.</summary>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.Write(path, stream => stream.Write(ToJson()));

    /// <summary>Loads a Hugging Face <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file, or a folder that holds a <c>tokenizer.json</c>.</param>
    /// <exception cref="UserErrorException">
    /// The file is missing or damaged, or asks for something that is not supported.
    /// </exception>
    public static Tokenizer Load(string path)
    {
        TokenizerJson json = TokenizerJson.Read(Directory.Exists(path) ? Path.Combine(path, "tokenizer.json") : path);
        return json.ModelType switch
        {
            "BPE" => ByteLevelBpe.FromJson(json),
            string other => throw json.Unsupported($"the model \"{other}\"", "BPE"),
        };
    }

    /// <summary>Appends the ids of a text in which no added token is to be recognised.</summary>
    private protected abstract void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids);

    /// <summary>The tokenizer as <c>tokenizer.json</c>, always the same bytes for the same tokenizer.</summary>
    private protected abstract byte[] ToJson();

    /// <summary>Finds the leftmost added token in a text, the longest of those that start there.</summary>
    private bool TryFindAdded(ReadOnlySpan<byte> utf8, bool allowSpecial, out int start, out int length, out int id)
    {
        (start, length, id) = (utf8.Length, 0, 0);
        foreach (AddedToken token in AddedTokens)
        {
            if (token.IsSpecial && !allowSpecial)
            {
                continue;
            }

            byte[] content = Encoding.UTF8.GetBytes(token.Content);
            int found = utf8.IndexOf(content);
            if (found >= 0 && (found < start || (found == start && content.Length > length)))
            {
                (start, length, id) = (found, content.Length, token.Id);
            }
        }

        return length > 0;
    }
}
