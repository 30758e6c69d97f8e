using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// GPT-2's tokenizer: text is UTF-8 bytes, cut into words, inside which frequent neighbours merge (Radford et al. 2019,
/// section 2.2). Without merges it is the vocabulary of raw bytes.
/// </summary>
public sealed class ByteLevelBpe : Tokenizer
{
    private const int LongestCachedWord = 64, MostCachedWords = 1 << 18;

    private readonly string?[] _tokens;
    private readonly byte[][] _bytes;
    private readonly int[] _byteIds = new int[256];
    private readonly ByteLevelSplitting _splitting;
    private readonly bool _composes;
    private readonly Dictionary<byte[], int>? _whole;
    private readonly BpeMerges _merges;
    private readonly ConcurrentDictionary<byte[], int[]> _cache = new(ByteStringComparer.Instance);
    private readonly ConcurrentDictionary<byte[], int[]>.AlternateLookup<ReadOnlySpan<byte>> _cached;
    private int _cachedWords;

    /// <param name="tokens">The token strings by id; null where only an added token has the id, or none.</param>
    /// <param name="merges">The merges in order of rank.</param>
    /// <param name="splitting">How text is cut first.</param>
    /// <param name="parts">What stands around the model.</param>
    /// <param name="composes">Whether text is brought into Unicode's form C before that.</param>
    /// <param name="takesWhole">Whether a word that is a token becomes it at once, whatever the merges.</param>
    internal ByteLevelBpe(
        string?[] tokens,
        IReadOnlyList<(int Left, int Right, int Merged)> merges,
        ByteLevelSplitting splitting,
        TokenizerParts parts,
        bool composes = false,
        bool takesWhole = false)
        : base(tokens, parts)
    {
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<byte>>();
        (_splitting, _composes) = (splitting, composes);
        _merges = new BpeMerges(merges);
        _tokens = tokens;
        _bytes = [.. _tokens.Select(token => token is null ? [] : ByteAlphabet.ToBytes(token))];
        if (takesWhole)
        {
            _whole = new Dictionary<byte[], int>(ByteStringComparer.Instance);
            for (int id = 0; id < tokens.Length; id++)
            {
                // Others stand for no bytes of a text.
                if (tokens[id] is string token && ByteAlphabet.ToToken(_bytes[id]) == token)
                {
                    _whole[_bytes[id]] = id;
                }
            }
        }

        foreach (AddedToken added in parts.AddedTokens)
        {
            _bytes[added.Id] = Encoding.UTF8.GetBytes(added.Content);
        }

        for (int b = 0; b < 256; b++)
        {
            _byteIds[b] = Array.IndexOf(_tokens, ByteAlphabet.ToToken([(byte)b]));
        }
    }

    /// <summary>The vocabulary of raw bytes: byte b is id b, then <c>&lt;|endoftext|&gt;</c> as 256.</summary>
    public static ByteLevelBpe RawBytes { get; } = Create(
        [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.ToToken([(byte)b]))], [], splitsWords: false);

    /// <inheritdoc/>
    public override int? Unknown => null;

    /// <inheritdoc/>
    internal override bool EncodesPieces =>
        !_composes && (_splitting.StandsCuts || (MergeCount == 0 && _whole is null)) && base.EncodesPieces;

    /// <inheritdoc/>
    internal override bool DecodesEachAlone => true;

    /// <summary>The number of merges; 0 for raw bytes.</summary>
    public int MergeCount => _merges.InOrder.Count;

    /// <inheritdoc/>
    public override byte[] DecodeToBytes(ReadOnlySpan<int> ids)
    {
        var output = new ArrayBufferWriter<byte>(4 * ids.Length + 1);
        foreach (int id in ids)
        {
            output.Write(_bytes[Checked(id)]);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>A tokenizer whose last token is <c>&lt;|endoftext|&gt;</c>.</summary>
    internal static ByteLevelBpe Create(
        List<string> tokens, IReadOnlyList<(int Left, int Right, int Merged)> merges, bool splitsWords) =>
        new(
            [.. tokens, EndOfTextToken],
            merges,
            new ByteLevelSplitting(splitsWords ? WordExpression.Gpt2 : WordExpression.None),
            new TokenizerParts([new AddedToken(tokens.Count, EndOfTextToken, IsSpecial: true)]));

    /// <summary>Builds the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    internal static ByteLevelBpe FromJson(TokenizerJson json)
    {
        JsonElement model = json.Model;

        // With all 256 bytes in the vocabulary nothing is ever unknown, so the unknown token and its fusing are idle.
        json.AllowOnly(model, "the model", "type", "vocab", "merges", "unk_token", "fuse_unk", "ignore_merges");
        ByteLevelSplitting splitting = ByteLevelSplitting.FromJson(json);
        if (json.Part("decoder") is JsonElement decoder)
        {
            ByteLevelSplitting.ByteLevel(json, decoder, "decoder");
        }

        if (json.Part("normalizer") is JsonElement normalizer && json.String(normalizer, "normalizer", "type") != "NFC")
        {
            throw json.Unsupported("a \"normalizer\" with byte-pair encoding", "NFC");
        }

        TokenizerParts parts = TokenizerParts.FromJson(json);
        Dictionary<string, int> ids = ReadVocabulary(json);
        return new ByteLevelBpe(
            json.TokensById(ids, [.. parts.AddedTokens]),
            BpeMerges.Read(json, ids),
            splitting,
            parts,
            composes: json.Part("normalizer") is not null,
            takesWhole: json.Flag(model, "ignore_merges"));
    }

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart) =>
        EncodeNormalized(_composes ? CanonicalComposition.Normalize(utf8) : utf8, ids, isStart);

    private protected override byte[] Normalize(ReadOnlySpan<byte> utf8) =>
        (_composes ? CanonicalComposition.Normalize(utf8) : utf8).ToArray();

    private protected override void EncodeNormalized(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart)
    {
        if (_splitting.AddsPrefixSpace && !utf8.IsEmpty && utf8[0] != ' ')
        {
            utf8 = (byte[])[(byte)' ', .. utf8];
        }

        while (!utf8.IsEmpty)
        {
            int length = _splitting.NextWord(utf8);
            EncodeWord(utf8[..length], ids);
            utf8 = utf8[length..];
        }
    }

    private protected override void WriteSplitting(Utf8JsonWriter json)
    {
        if (_composes)
        {
            json.WriteStartObject("normalizer");
            json.WriteString("type", "NFC");
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("normalizer");
        }

        _splitting.Write(json);
    }

    private void EncodeWord(ReadOnlySpan<byte> word, List<int> ids)
    {
        if (_whole is not null && _whole.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(word, out int whole))
        {
            ids.Add(whole);
            return;
        }

        if (MergeCount == 0)
        {
            int start = ids.Count;
            CollectionsMarshal.SetCount(ids, start + word.Length);
            Span<int> output = CollectionsMarshal.AsSpan(ids)[start..];
            for (int i = 0; i < word.Length; i++)
            {
                output[i] = _byteIds[word[i]];
            }

            return;
        }

        if (_cached.TryGetValue(word, out int[]? known))
        {
            ids.AddRange(known);
            return;
        }

        int before = ids.Count;
        int[]? rented = null;
        Span<int> bytes = word.Length <= 256 ? stackalloc int[word.Length] : rented = ArrayPool<int>.Shared.Rent(word.Length);
        bytes = bytes[..word.Length];
        for (int i = 0; i < word.Length; i++)
        {
            bytes[i] = _byteIds[word[i]];
        }

        _merges.Merge(bytes, ids);
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }

        if (word.Length <= LongestCachedWord && _cachedWords < MostCachedWords
            && _cached.TryAdd(word, CollectionsMarshal.AsSpan(ids)[before..].ToArray()))
        {
            Interlocked.Increment(ref _cachedWords);
        }
    }

    private static Dictionary<string, int> ReadVocabulary(TokenizerJson json)
    {
        Dictionary<string, int> ids = json.Vocabulary();
        for (int b = 0; b < 256; b++)
        {
            if (!ids.ContainsKey(ByteAlphabet.ToToken([(byte)b])))
            {
                throw json.Unsupported($"a vocabulary without a token for byte {b} (\"{ByteAlphabet.ToToken([(byte)b])}\")");
            }
        }

        return ids;
    }

    private protected override void WriteModel(Utf8JsonWriter json)
    {
        json.WritePropertyName("decoder");
        ByteLevelSplitting.WriteByteLevel(json, useRegex: true, addPrefixSpace: false);
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", _whole is not null);
        TokenizerJson.WriteVocabulary(json, _tokens);

        // The older form of merges: every version of Hugging Face's library reads it, and no token holds a space.
        json.WriteStartArray("merges");
        foreach ((int left, int right, _) in _merges.InOrder)
        {
            json.WriteStringValue($"{_tokens[left]} {_tokens[right]}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
