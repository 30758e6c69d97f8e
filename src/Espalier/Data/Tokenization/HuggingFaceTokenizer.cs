using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Data;

/// <summary>
/// Any other tokenizer, through Hugging Face's own library. What stands around the model is Espalier's: special tokens
/// around texts, lengths; the library finds added tokens, normalizes, cuts, segments and decodes.
/// </summary>
internal sealed class HuggingFaceTokenizer : Tokenizer
{
    private readonly TokenizerJson _json;
    private readonly Lazy<HuggingFaceLibrary> _all, _ordinary;

    private HuggingFaceTokenizer(TokenizerJson json, Dictionary<string, int> ids, TokenizerParts parts)
        : base(json.TokensById(ids, [.. parts.AddedTokens]), parts)
    {
        _json = json;
        _all = new Lazy<HuggingFaceLibrary>(() => new HuggingFaceLibrary(File(parts.AddedTokens)));
        _ordinary = parts.AddedTokens.Any(token => token.IsSpecial)
            ? new Lazy<HuggingFaceLibrary>(() => new HuggingFaceLibrary(File(WithoutSpecial(parts.AddedTokens, ids))))
            : _all;
        Unknown = json.Model.TryGetProperty("unk_id", out JsonElement id) && id.ValueKind == JsonValueKind.Number ? json.Id(id, "unk_id")
            : json.Model.TryGetProperty("unk_token", out JsonElement token) && token.ValueKind == JsonValueKind.String ? IdOf(token.GetString()!)
            : null;
    }

    /// <inheritdoc/>
    public override int? Unknown { get; }

    /// <inheritdoc/>
    internal override bool EncodesPieces => false;

    /// <inheritdoc/>
    public override byte[] DecodeToBytes(ReadOnlySpan<int> ids) => Encoding.UTF8.GetBytes(TextOf(ids));

    /// <summary>Loads the tokenizer that a <c>tokenizer.json</c> describes.</summary>
    /// <param name="json">The file.</param>
    /// <param name="reason">What Espalier's own tokenizers do not do.</param>
    /// <exception cref="UserErrorException">The library does not take the file either, or cannot be loaded.</exception>
    internal static HuggingFaceTokenizer FromJson(TokenizerJson json, UnsupportedTokenizerException reason)
    {
        if (json.Model.TryGetProperty("dropout", out JsonElement dropout) && dropout.ValueKind == JsonValueKind.Number)
        {
            // The same text would not give the same ids.
            throw reason.ForUser();
        }

        try
        {
            var tokenizer = new HuggingFaceTokenizer(json, json.Vocabulary(), TokenizerParts.FromJson(json));
            _ = tokenizer._all.Value;
            return tokenizer;
        }
        catch (UnsupportedTokenizerException other)
        {
            throw other.ForUser();
        }
        catch (UserErrorException failure)
        {
            throw reason.ForUser(failure);
        }
    }

    private protected override void EncodeText(ReadOnlySpan<byte> utf8, List<int> ids, bool allowSpecial)
    {
        foreach (uint id in (allowSpecial ? _all : _ordinary).Value.Encode(Encoding.UTF8.GetString(utf8)))
        {
            ids.Add((int)id);
        }
    }

    private protected override void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart) =>
        EncodeText(utf8, ids, allowSpecial: false);

    private protected override string TextOf(ReadOnlySpan<int> ids)
    {
        var known = new uint[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            known[i] = (uint)Checked(ids[i]);
        }

        return _all.Value.Decode(known);
    }

    private protected override void Write(Utf8JsonWriter json) => _json.Root.WriteTo(json);

    /// <summary>The tokenizer without what Espalier does itself. No token is special, for the library decodes none such.</summary>
    private byte[] File(IEnumerable<AddedToken> addedTokens)
    {
        JsonObject json = JsonObject.Create(_json.Root)!;
        json["truncation"] = json["padding"] = json["post_processor"] = null;
        json["added_tokens"] = new JsonArray([.. addedTokens.Select(token => new JsonObject
        {
            ["id"] = token.Id,
            ["content"] = token.Content,
            ["single_word"] = token.SingleWord,
            ["lstrip"] = token.StripsLeft,
            ["rstrip"] = token.StripsRight,
            ["normalized"] = token.Normalized,
            ["special"] = false,
        })]);
        return JsonSerializer.SerializeToUtf8Bytes(json);
    }

    /// <summary>
    /// The tokens without the special ones. Those that are not in the vocabulary hold the ids of the others in place, under
    /// names that no text can know.
    /// </summary>
    private static IEnumerable<AddedToken> WithoutSpecial(IEnumerable<AddedToken> tokens, Dictionary<string, int> ids) =>
        from token in tokens
        where !token.IsSpecial || !ids.ContainsKey(token.Content)
        select token.IsSpecial ? token with { Content = $"<{Guid.NewGuid()}>", Normalized = false, StripsLeft = false, StripsRight = false } : token;
}
