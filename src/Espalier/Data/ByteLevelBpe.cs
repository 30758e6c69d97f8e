using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
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
    private readonly bool _splitsWords;
    private readonly BpeMerges _merges;
    private readonly ConcurrentDictionary<byte[], int[]> _cache = new(ByteStringComparer.Instance);
    private readonly ConcurrentDictionary<byte[], int[]>.AlternateLookup<ReadOnlySpan<byte>> _cached;
    private int _cachedWords;

    /// <param name="tokens">The token strings by id; null where only an added token has the id, or none.</param>
    /// <param name="merges">The merges in order of rank.</param>
    /// <param name="splitsWords">Whether text is cut by GPT-2's expression first.</param>
    /// <param name="addedTokens">The added tokens.</param>
    internal ByteLevelBpe(
        IReadOnlyList<string?> tokens,
        IReadOnlyList<(int Left, int Right, int Merged)> merges,
        bool splitsWords,
        IReadOnlyList<AddedToken> addedTokens)
        : base(addedTokens)
    {
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<byte>>();
        _splitsWords = splitsWords;
        _merges = new BpeMerges(merges);
        _tokens = [.. tokens];
        _bytes = [.. _tokens.Select(token => token is null ? [] : ByteAlphabet.ToBytes(token))];
        foreach (AddedToken added in addedTokens)
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
    public override int VocabularySize => _tokens.Length;

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

    /// <inheritdoc/>
    public override string TokenOf(int id) =>
        _tokens[Checked(id)] ?? AddedTokens.FirstOrDefault(token => token.Id == id)?.Content ?? "";

    /// <summary>A tokenizer whose last token is <c>&lt;|endoftext|&gt;</c>.</summary>
    internal static ByteLevelBpe Create(
        List<string> tokens, IReadOnlyList<(int Left, int Right, int Merged)> merges, bool splitsWords) =>
        new([.. tokens, EndOfTextToken], merges, splitsWords, [new AddedToken(tokens.Count, EndOfTextToken, IsSpecial: true)]);

    /// <summary>Builds the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    internal static ByteLevelBpe FromJson(TokenizerJson json)
    {
        JsonElement model = json.Model;

        // With all 256 bytes in the vocabulary nothing is ever unknown, so the unknown token and its fusing are idle.
        json.AllowOnly(model, "the model", "type", "vocab", "merges", "unk_token", "fuse_unk");
        bool splitsWords = ReadPreTokenizer(json);
        RequireByteLevel(json, "decoder");
        if (json.Part("post_processor") is not null)
        {
            // ByteLevel's post-processing moves only the offsets of tokens in the text, which nothing here reports.
            RequireByteLevel(json, "post_processor");
        }

        Dictionary<string, int> ids = ReadVocabulary(json);
        List<AddedToken> added = json.AddedTokens();
        int size = ids.Values.Concat(added.Select(token => token.Id)).DefaultIfEmpty(-1).Max() + 1;
        if (size > ids.Count + added.Count)
        {
            throw json.Damaged($"its largest id is {size - 1}, but it has only {ids.Count + added.Count} tokens");
        }

        var tokens = new string?[size];
        foreach ((string token, int id) in ids)
        {
            tokens[id] = tokens[id] is string other ? throw json.Damaged($"\"{other}\" and \"{token}\" share the id {id}") : token;
        }

        foreach (AddedToken token in added)
        {
            if (tokens[token.Id] is string other && other != token.Content)
            {
                throw json.Damaged($"\"{other}\" and \"{token.Content}\" share the id {token.Id}");
            }
        }

        return new ByteLevelBpe(tokens, ReadMerges(json, ids), splitsWords, added);
    }

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        while (!utf8.IsEmpty)
        {
            int length = _splitsWords ? Gpt2Splitter.NextWord(utf8) : utf8.Length;
            EncodeWord(utf8[..length], ids);
            utf8 = utf8[length..];
        }
    }

    private protected override byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteAddedTokens(json);
            json.WriteNull("normalizer");
            WriteByteLevel(json, "pre_tokenizer", _splitsWords);
            json.WriteNull("post_processor");
            WriteByteLevel(json, "decoder", useRegex: true);
            WriteModel(json);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
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

    private int Checked(int id) => (uint)id < (uint)_tokens.Length
        ? id
        : throw new UserErrorException($"Token id {id} is outside the vocabulary of {VocabularySize} tokens.");

    private static bool ReadPreTokenizer(TokenizerJson json)
    {
        JsonElement preTokenizer = RequireByteLevel(json, "pre_tokenizer");
        return json.Flag(preTokenizer, "add_prefix_space")
            ? throw json.Unsupported("\"add_prefix_space\" of the pre-tokenizer ByteLevel")
            : json.Flag(preTokenizer, "use_regex", otherwise: true);
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
        if (!json.Model.TryGetProperty("vocab", out JsonElement vocabulary) || vocabulary.ValueKind != JsonValueKind.Object)
        {
            throw json.Damaged("its \"model\" has no \"vocab\"");
        }

        var ids = new Dictionary<string, int>();
        foreach (JsonProperty entry in vocabulary.EnumerateObject())
        {
            if (!ids.TryAdd(entry.Name, json.Id(entry.Value, $"\"{entry.Name}\"")))
            {
                throw json.Damaged($"\"{entry.Name}\" is in its vocabulary twice");
            }
        }

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

    private void WriteAddedTokens(Utf8JsonWriter json)
    {
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in AddedTokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", false);
            json.WriteBoolean("rstrip", false);
            json.WriteBoolean("normalized", false);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string name, bool useRegex)
    {
        json.WriteStartObject(name);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        for (int id = 0; id < _tokens.Length; id++)
        {
            if (_tokens[id] is string token)
            {
                json.WriteNumber(token, id);
            }
        }

        json.WriteEndObject();

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
