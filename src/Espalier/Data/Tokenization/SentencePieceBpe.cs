using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// Byte-pair encoding over characters, as Llama 2, Mistral and TinyLlama have it from SentencePiece: spaces become
/// <c>\u2581</c>, and a character that is no token becomes its bytes, <c>&lt;0xE2&gt;</c> and so on.
/// </summary>
internal sealed class SentencePieceBpe : Tokenizer
{
    private readonly TokenizerJson _json;
    private readonly Metaspace _metaspace;
    private readonly BpeMerges _merges;
    private readonly Dictionary<int, int> _characters = [];
    private readonly int[] _byteIds = new int[256];
    private readonly Dictionary<int, byte> _bytesOfIds = [];

    [ThreadStatic]
    private static List<int>? _word;

    private SentencePieceBpe(TokenizerJson json, Dictionary<string, int> ids, Metaspace metaspace, TokenizerParts parts)
        : base(json.TokensById(ids, [.. parts.AddedTokens]), parts)
    {
        (_json, _metaspace) = (json, metaspace);
        _merges = new BpeMerges(BpeMerges.Read(json, ids));
        foreach ((string token, int id) in ids)
        {
            if (Rune.DecodeFromUtf16(token, out Rune rune, out int length) == OperationStatus.Done && length == token.Length)
            {
                _characters[rune.Value] = id;
            }
        }

        for (int b = 0; b < 256; b++)
        {
            string token = $"<0x{b:X2}>";
            _byteIds[b] = ids.TryGetValue(token, out int id) ? id : throw json.Unsupported($"a vocabulary without \"{token}\"");
            _bytesOfIds[id] = (byte)b;
        }

        Unknown = json.Model.TryGetProperty("unk_token", out JsonElement unknown) && unknown.ValueKind == JsonValueKind.String
            ? IdOf(unknown.GetString()!)
            : null;
    }

    /// <inheritdoc/>
    public override int? Unknown { get; }

    /// <inheritdoc/>
    internal override bool EncodesPieces => false;

    /// <inheritdoc/>
    public override byte[] DecodeToBytes(ReadOnlySpan<int> ids)
    {
        var output = new ArrayBufferWriter<byte>(4 * ids.Length + 1);
        foreach (int id in ids)
        {
            output.Write(_bytesOfIds.TryGetValue(Checked(id), out byte b)
                ? [b]
                : Encoding.UTF8.GetBytes(Metaspace.Restore(DecodedToken(id))));
        }

        return _metaspace.StripsFirst && output.WrittenSpan.StartsWith(" "u8)
            ? output.WrittenSpan[1..].ToArray()
            : output.WrittenSpan.ToArray();
    }

    /// <summary>Builds the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    internal static SentencePieceBpe FromJson(TokenizerJson json)
    {
        // With a token for every byte nothing is ever unknown, so the unknown token and its fusing are idle.
        json.AllowOnly(json.Model, "the model", "type", "vocab", "merges", "unk_token", "fuse_unk", "byte_fallback");
        return new SentencePieceBpe(json, json.Vocabulary(), Metaspace.FromJson(json), TokenizerParts.FromJson(json));
    }

    private protected override byte[] Normalize(ReadOnlySpan<byte> utf8) => _metaspace.Normalize(utf8);

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart) =>
        EncodeNormalized(_metaspace.Normalize(utf8), ids, isStart);

    private protected override void EncodeNormalized(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart)
    {
        ReadOnlySpan<byte> text = _metaspace.PreTokenize(utf8, isStart);
        while (!text.IsEmpty)
        {
            int length = _metaspace.NextWord(text);
            EncodeWord(text[..length], ids);
            text = text[length..];
        }
    }

    /// <summary>As Hugging Face has it: a run of bytes that is no valid UTF-8 is one U+FFFD a byte.</summary>
    private protected override string TextOf(ReadOnlySpan<int> ids)
    {
        var text = new StringBuilder();
        var bytes = new List<byte>();
        foreach (int id in ids)
        {
            if (_bytesOfIds.TryGetValue(Checked(id), out byte b))
            {
                bytes.Add(b);
                continue;
            }

            Flush();
            text.Append(Metaspace.Restore(DecodedToken(id)));
        }

        Flush();
        return _metaspace.StripsFirst && text.Length > 0 && text[0] == ' ' ? text.ToString(1, text.Length - 1) : text.ToString();

        void Flush()
        {
            ReadOnlySpan<byte> run = CollectionsMarshal.AsSpan(bytes);
            text.Append(System.Text.Unicode.Utf8.IsValid(run) ? Encoding.UTF8.GetString(run) : new string('\uFFFD', run.Length));
            bytes.Clear();
        }
    }

    private protected override void Write(Utf8JsonWriter json) => _json.Root.WriteTo(json);

    private void EncodeWord(ReadOnlySpan<byte> word, List<int> ids)
    {
        List<int> characters = _word ??= [];
        characters.Clear();
        while (!word.IsEmpty)
        {
            Rune.DecodeFromUtf8(word, out Rune rune, out int width);
            if (_characters.TryGetValue(rune.Value, out int id))
            {
                characters.Add(id);
            }
            else
            {
                foreach (byte b in word[..width])
                {
                    characters.Add(_byteIds[b]);
                }
            }

            word = word[width..];
        }

        _merges.Merge(CollectionsMarshal.AsSpan(characters), ids);
    }
}
