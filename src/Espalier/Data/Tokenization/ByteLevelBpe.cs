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
    private readonly bool _splitsWords, _addsPrefixSpace;
    private readonly BpeMerges _merges;
    private readonly ConcurrentDictionary<byte[], int[]> _cache = new(ByteStringComparer.Instance);
    private readonly ConcurrentDictionary<byte[], int[]>.AlternateLookup<ReadOnlySpan<byte>> _cached;
    private int _cachedWords;

    /// <param name="tokens">The token strings by id; null where only an added token has the id, or none.</param>
    /// <param name="merges">The merges in order of rank.</param>
    /// <param name="splitsWords">Whether text is cut by GPT-2's expression first.</param>
    /// <param name="parts">What stands around the model.</param>
    /// <param name="addsPrefixSpace">Whether text that begins with no space is given one.</param>
    internal ByteLevelBpe(
        string?[] tokens,
        IReadOnlyList<(int Left, int Right, int Merged)> merges,
        bool splitsWords,
        TokenizerParts parts,
        bool addsPrefixSpace = false)
        : base(tokens, parts)
    {
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<byte>>();
        (_splitsWords, _addsPrefixSpace) = (splitsWords, addsPrefixSpace);
        _merges = new BpeMerges(merges);
        _tokens = tokens;
        _bytes = [.. _tokens.Select(token => token is null ? [] : ByteAlphabet.ToBytes(token))];
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
    internal override bool EncodesPieces => (_splitsWords || MergeCount == 0) && base.EncodesPieces;

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
            splitsWords,
            new TokenizerParts([new AddedToken(tokens.Count, EndOfTextToken, IsSpecial: true)]));

    /// <summary>Builds the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    internal static ByteLevelBpe FromJson(TokenizerJson json)
    {
        JsonElement model = json.Model;

        // With all 256 bytes in the vocabulary nothing is ever unknown, so the unknown token and its fusing are idle.
        json.AllowOnly(model, "the model", "type", "vocab", "merges", "unk_token", "fuse_unk");
        JsonElement preTokenizer = RequireByteLevel(json, "pre_tokenizer");
        if (json.Part("decoder") is not null)
        {
            RequireByteLevel(json, "decoder");
        }

        if (json.Part("normalizer") is not null)
        {
            throw json.Unsupported("a \"normalizer\" with byte-pair encoding");
        }

        TokenizerParts parts = TokenizerParts.FromJson(json);
        Dictionary<string, int> ids = ReadVocabulary(json);
        return new ByteLevelBpe(
            json.TokensById(ids, [.. parts.AddedTokens]),
            ReadMerges(json, ids),
            json.Flag(preTokenizer, "use_regex", otherwise: true),
            parts,
            json.Flag(preTokenizer, "add_prefix_space"));
    }

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        if (_addsPrefixSpace && !utf8.IsEmpty && utf8[0] != ' ')
        {
            utf8 = (byte[])[(byte)' ', .. utf8];
        }

        while (!utf8.IsEmpty)
        {
            int length = _splitsWords ? Gpt2Splitter.NextWord(utf8) : utf8.Length;
            EncodeWord(utf8[..length], ids);
            utf8 = utf8[length..];
        }
    }

    private protected override void WriteSplitting(Utf8JsonWriter json)
    {
        json.WriteNull("normalizer");
        WriteByteLevel(json, "pre_tokenizer", _splitsWords, _addsPrefixSpace);
    }

    private void EncodeWord(ReadOnlySpan<byte> word, List<int> ids)
    {
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

    private static JsonElement RequireByteLevel(TokenizerJson json, string name)
    {
        JsonElement part = json.Part(name) ?? throw json.Unsupported($"byte-pair encoding without a {name}", "ByteLevel");
        string type = json.String(part, name, "type");
        if (type != "ByteLevel")
        {
            throw json.Unsupported($"the {name} \"{type}\" with byte-pair encoding", "ByteLevel");
        }

        json.AllowOnly(part, $"the {name}", "type", "add_prefix_space", "trim_offsets", "use_regex");
        return part;
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

    private static List<(int Left, int Right, int Merged)> ReadMerges(TokenizerJson json, Dictionary<string, int> ids)
    {
        if (!json.Model.TryGetProperty("merges", out JsonElement list))
        {
            throw json.Damaged("its \"model\" has no \"merges\"");
        }

        var merges = new List<(int, int, int)>();
        foreach (JsonElement merge in json.Items(list, "merges"))
        {
            // Written "a b" before 2024 and ["a", "b"] since.
            string[] pair = merge.ValueKind switch
            {
                JsonValueKind.String => merge.GetString()!.Split(' '),
                JsonValueKind.Array when merge.EnumerateArray().All(part => part.ValueKind == JsonValueKind.String) =>
                    [.. merge.EnumerateArray().Select(part => part.GetString()!)],
                _ => [],
            };
            if (pair is not [string left, string right])
            {
                throw json.Damaged($"its merge {merges.Count} is not a pair of tokens");
            }

            if (left.Contains(' ') || right.Contains(' '))
            {
                throw json.Unsupported($"the merge \"{left}\" + \"{right}\", which no byte-level text can contain");
            }

            merges.Add((IdOf(left), IdOf(right), IdOf(left + right)));
        }

        return merges;

        int IdOf(string token) => ids.TryGetValue(token, out int id)
            ? id
            : throw json.Damaged($"its merge {merges.Count} needs \"{token}\", which is not in the vocabulary");
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string name, bool useRegex, bool addPrefixSpace)
    {
        json.WriteStartObject(name);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }

    private protected override void WriteModel(Utf8JsonWriter json)
    {
        WriteByteLevel(json, "decoder", useRegex: true, addPrefixSpace: false);
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
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
