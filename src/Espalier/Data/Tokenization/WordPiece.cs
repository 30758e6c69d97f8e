using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// BERT's tokenizer: text is normalized and cut into words, each of which is covered by the longest tokens that fit, from
/// left to right (Wu et al. 2016, section 4.1; Devlin et al. 2019).
/// </summary>
public sealed class WordPiece : Tokenizer
{
    private const int LongestCachedChunk = 64, MostCachedChunks = 1 << 18;

    private readonly string?[] _tokens;
    private readonly BertNormalizer? _normalizer;
    private readonly BertSplitter _splitter, _normalizedSplitter = new(null);
    private readonly WordPieceModel _model;
    private readonly WordPieceDecoder _decoder;
    private readonly ConcurrentDictionary<byte[], int[]> _cache = new(ByteStringComparer.Instance);
    private readonly ConcurrentDictionary<byte[], int[]>.AlternateLookup<ReadOnlySpan<byte>> _cached;
    private int _cachedChunks;

    [ThreadStatic]
    private static WordList? _words;

    private WordPiece(
        string?[] tokens, BertNormalizer? normalizer, WordPieceModel model, WordPieceDecoder decoder, TokenizerParts parts)
        : base(tokens, parts)
    {
        _tokens = tokens;
        _normalizer = normalizer;
        _splitter = new BertSplitter(normalizer);
        _model = model;
        _decoder = decoder;
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    private static IEnumerable<char> Printable =>
        Enumerable.Range('!', '~' - '!' + 1).Select(code => (char)code).Where(character => !char.IsUpper(character));

    /// <summary>The special tokens of BERT.</summary>
    internal static IReadOnlyList<string> SpecialTokens { get; } = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>
    /// The smallest vocabulary that spells English: the printable ASCII characters in lower case, letters and digits also as
    /// they continue a word.
    /// </summary>
    public static WordPiece Characters { get; } = Create(
        [
            .. SpecialTokens,
            .. Printable.Select(character => $"{character}"),
            .. Printable.Where(char.IsLetterOrDigit).Select(character => $"##{character}"),
        ],
        lowercase: true);

    /// <inheritdoc/>
    public override int? Unknown => _model.UnknownId;

    /// <summary>A tokenizer of BERT's kind.</summary>
    /// <param name="vocabulary">
    /// The tokens in the order of their ids, <c>[PAD]</c>, <c>[UNK]</c>, <c>[CLS]</c>, <c>[SEP]</c> and <c>[MASK]</c> among
    /// them. A token that continues a word begins with <c>##</c>.
    /// </param>
    /// <param name="lowercase">Whether text becomes lower case and loses its accents (BERT uncased), or not (cased).</param>
    /// <exception cref="UserErrorException">A special token is missing, or a token is there twice.</exception>
    public static WordPiece Create(IReadOnlyList<string> vocabulary, bool lowercase) =>
        Create(vocabulary, BertNormalizer.Usual(lowercase));

    /// <summary>The same with a normalizer of one's own.</summary>
    /// <inheritdoc cref="Create(IReadOnlyList{string}, bool)"/>
    internal static WordPiece Create(IReadOnlyList<string> vocabulary, BertNormalizer normalizer)
    {
        var ids = new Dictionary<string, int>(vocabulary.Count);
        foreach (string token in vocabulary)
        {
            if (!ids.TryAdd(token, ids.Count))
            {
                throw new UserErrorException($"\"{token}\" is in the vocabulary twice, as {ids[token]} and as {ids.Count}.");
            }
        }

        if (SpecialTokens.FirstOrDefault(token => !ids.ContainsKey(token)) is string missing)
        {
            throw new UserErrorException(
                $"The vocabulary has no {missing}.", $"A vocabulary of BERT holds {string.Join(", ", SpecialTokens)}.");
        }

        return new WordPiece(
            [.. vocabulary],
            normalizer,
            new WordPieceModel(ids, "[UNK]", "##", 100),
            new WordPieceDecoder("##", Cleanup: true),
            new TokenizerParts([
                .. SpecialTokens.Select(token => new AddedToken(ids[token], token, IsSpecial: true)).OrderBy(token => token.Id)])
            {
                PostProcessor = PostProcessor.Bert(ids["[CLS]"], ids["[SEP]"]),
            });
    }

    /// <inheritdoc/>
    public override byte[] DecodeToBytes(ReadOnlySpan<int> ids)
    {
        var text = new StringBuilder();
        for (int i = 0; i < ids.Length; i++)
        {
            _decoder.Append(DecodedToken(ids[i]), isFirst: i == 0, text);
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Builds the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    internal static WordPiece FromJson(TokenizerJson json)
    {
        TokenizerParts parts = TokenizerParts.FromJson(json);
        Dictionary<string, int> ids = json.Vocabulary();
        string?[] tokens = json.TokensById(ids, [.. parts.AddedTokens]);
        JsonElement splitter = json.Part("pre_tokenizer") ?? throw json.Unsupported("WordPiece without a pre_tokenizer", "BertPreTokenizer");
        string type = json.String(splitter, "pre_tokenizer", "type");
        if (type != "BertPreTokenizer")
        {
            throw json.Unsupported($"the pre_tokenizer \"{type}\" with WordPiece", "BertPreTokenizer");
        }

        json.AllowOnly(splitter, "the pre_tokenizer", "type");
        return new WordPiece(
            tokens, BertNormalizer.FromJson(json), WordPieceModel.FromJson(json, ids), WordPieceDecoder.FromJson(json), parts);
    }

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart)
    {
        while (!utf8.IsEmpty)
        {
            int length = BertSplitter.NextChunk(utf8, out bool isSpace);
            if (!isSpace)
            {
                EncodeChunk(utf8[..length], ids);
            }

            utf8 = utf8[length..];
        }
    }

    private protected override byte[] Normalize(ReadOnlySpan<byte> utf8) => _normalizer?.Normalize(utf8) ?? utf8.ToArray();

    private protected override void EncodeNormalized(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart) =>
        EncodeWords(utf8, _normalizedSplitter, ids);

    private protected override void WriteSplitting(Utf8JsonWriter json)
    {
        if (_normalizer is null)
        {
            json.WriteNull("normalizer");
        }
        else
        {
            _normalizer.Write(json);
        }

        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "BertPreTokenizer");
        json.WriteEndObject();
    }

    private protected override void WriteModel(Utf8JsonWriter json)
    {
        _decoder.Write(json);
        _model.Write(json, _tokens);
    }

    private void EncodeChunk(ReadOnlySpan<byte> chunk, List<int> ids)
    {
        if (_cached.TryGetValue(chunk, out int[]? known))
        {
            ids.AddRange(known);
            return;
        }

        int before = ids.Count;
        EncodeWords(chunk, _splitter, ids);
        if (chunk.Length <= LongestCachedChunk && _cachedChunks < MostCachedChunks
            && _cached.TryAdd(chunk, CollectionsMarshal.AsSpan(ids)[before..].ToArray()))
        {
            Interlocked.Increment(ref _cachedChunks);
        }
    }

    private void EncodeWords(ReadOnlySpan<byte> text, BertSplitter splitter, List<int> ids)
    {
        WordList words = _words ??= new WordList();
        splitter.Split(text, words);
        for (int i = 0; i < words.Count; i++)
        {
            _model.Encode(words[i], ids);
        }
    }
}
