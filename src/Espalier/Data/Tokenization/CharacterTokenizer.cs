using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// One token a character, nothing else: a <c>tokenizer.json</c> of Hugging Face's kind BPE without a merge. Characters that
/// the vocabulary lacks become <c>[UNK]</c>.
/// </summary>
internal sealed class CharacterTokenizer : Tokenizer
{
    private const string UnknownToken = "[UNK]";

    private readonly string?[] _tokens;
    private readonly Dictionary<int, int> _ids = [];

    private CharacterTokenizer(string?[] tokens, TokenizerParts parts)
        : base(tokens, parts)
    {
        _tokens = tokens;
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is string token && IsCharacter(token, out Rune character))
            {
                _ids[character.Value] = id;
            }
        }
    }

    /// <inheritdoc/>
    public override int? Unknown => IdOf(UnknownToken);

    /// <inheritdoc/>
    internal override bool DecodesEachAlone => true;

    /// <summary>The tokenizer of all characters of a text: <c>[UNK]</c>, they by code point, <c>&lt;|endoftext|&gt;</c>.</summary>
    /// <param name="documents">The text; read once, front to back.</param>
    /// <param name="progress">Told now and then how far the work has come.</param>
    public static CharacterTokenizer Of(IEnumerable<Document> documents, Action<DataProgress>? progress)
    {
        var characters = new SortedSet<int>();
        long shown = 0;
        foreach (Document document in documents)
        {
            foreach (Rune character in Encoding.UTF8.GetString(document.Text.Span).EnumerateRunes())
            {
                characters.Add(character.Value);
            }

            if (document.BytesRead - shown >= 1 << 20)
            {
                shown = document.BytesRead;
                progress?.Invoke(new DataProgress("counting characters", shown, 0));
            }
        }

        string[] tokens = [UnknownToken, .. characters.Select(character => new Rune(character).ToString()), EndOfTextToken];
        return new CharacterTokenizer(tokens, new TokenizerParts(
            [new AddedToken(0, UnknownToken, IsSpecial: true), new AddedToken(tokens.Length - 1, EndOfTextToken, IsSpecial: true)]));
    }

    /// <summary>Whether a <c>tokenizer.json</c> describes such a tokenizer.</summary>
    internal static bool Describes(TokenizerJson json) =>
        json.Model.TryGetProperty("merges", out JsonElement merges) && merges.ValueKind == JsonValueKind.Array && merges.GetArrayLength() == 0
        && json.Model.TryGetProperty("unk_token", out JsonElement unknown) && unknown.ValueEquals(UnknownToken)
        && json.Part("pre_tokenizer") is null && json.Part("normalizer") is null
        && json.Part("decoder") is JsonElement decoder && decoder.TryGetProperty("type", out JsonElement type) && type.ValueEquals("Fuse");

    /// <summary>Builds the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    internal static CharacterTokenizer FromJson(TokenizerJson json)
    {
        json.AllowOnly(json.Model, "the model", "type", "vocab", "merges", "unk_token");
        TokenizerParts parts = TokenizerParts.FromJson(json);
        Dictionary<string, int> ids = json.Vocabulary();
        HashSet<string> added = [.. parts.AddedTokens.Select(token => token.Content)];
        return ids.Keys.FirstOrDefault(token => !IsCharacter(token, out _) && !added.Contains(token)) is string other
            ? throw json.Unsupported($"the token \"{other}\" without a merge that makes it")
            : ids.ContainsKey(UnknownToken) ? new CharacterTokenizer(json.TokensById(ids, [.. parts.AddedTokens]), parts)
            : throw json.Damaged($"its vocabulary has no {UnknownToken}");
    }

    /// <inheritdoc/>
    public override byte[] DecodeToBytes(ReadOnlySpan<int> ids)
    {
        var output = new ArrayBufferWriter<byte>(2 * ids.Length + 1);
        foreach (int id in ids)
        {
            output.Write(Encoding.UTF8.GetBytes(_tokens[Checked(id)] ?? TokenOf(id)));
        }

        return output.WrittenSpan.ToArray();
    }

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart) =>
        EncodeNormalized(utf8, ids, isStart);

    private protected override byte[] Normalize(ReadOnlySpan<byte> utf8) => utf8.ToArray();

    private protected override void EncodeNormalized(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart)
    {
        int unknown = Unknown!.Value;
        while (!utf8.IsEmpty)
        {
            Rune.DecodeFromUtf8(utf8, out Rune character, out int width);
            ids.Add(_ids.GetValueOrDefault(character.Value, unknown));
            utf8 = utf8[width..];
        }
    }

    private protected override void WriteSplitting(Utf8JsonWriter json)
    {
        json.WriteNull("normalizer");
        json.WriteNull("pre_tokenizer");
    }

    private protected override void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("decoder");
        json.WriteString("type", "Fuse");
        json.WriteEndObject();
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", UnknownToken);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        TokenizerJson.WriteVocabulary(json, _tokens);
        json.WriteStartArray("merges");
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static bool IsCharacter(string token, out Rune character) =>
        Rune.DecodeFromUtf16(token, out character, out int length) == OperationStatus.Done && length == token.Length;
}
