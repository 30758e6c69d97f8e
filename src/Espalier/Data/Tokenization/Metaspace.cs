using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// Spaces as the visible character <c>\u2581</c>, with one set before the text: by two normalizers, as Llama 2's files
/// first had it, or by a <c>Metaspace</c> pre-tokenizer, as later ones do.
/// </summary>
internal sealed record Metaspace
{
    private const char Character = '\u2581';

    private static ReadOnlySpan<byte> Bytes => "\u2581"u8;

    private bool NormalizerPrepends { get; init; }

    private bool NormalizerReplaces { get; init; }

    private string? Scheme { get; init; }

    private bool Splits { get; init; }

    /// <summary>Whether decoding drops one space from the beginning.</summary>
    public bool StripsFirst { get; private init; }

    /// <summary>A token with spaces again.</summary>
    public static string Restore(string token) => token.Replace(Character, ' ');

    /// <summary>Reads the <c>normalizer</c>, <c>pre_tokenizer</c> and <c>decoder</c> of a file.</summary>
    public static Metaspace FromJson(TokenizerJson json)
    {
        string[] normalizers = [.. Steps(json, "normalizer", "normalizers").Select(step => Normalizer(json, step))];
        string[] decoders = [.. Steps(json, "decoder", "decoders").Select(step => Decoder(json, step))];
        if (normalizers is not ([] or ["Replace"] or ["Prepend"] or ["Prepend", "Replace"]))
        {
            throw json.Unsupported($"the normalizers {string.Join(", ", normalizers)} with byte fallback");
        }

        if (decoders is not (["Replace", "ByteFallback", "Fuse"] or ["Replace", "ByteFallback", "Fuse", "Strip"]))
        {
            throw json.Unsupported($"the decoders {string.Join(", ", decoders)} with byte fallback");
        }

        var metaspace = new Metaspace
        {
            NormalizerPrepends = normalizers.Contains("Prepend"),
            NormalizerReplaces = normalizers.Contains("Replace"),
            StripsFirst = decoders.Contains("Strip"),
        };
        if (json.Part("pre_tokenizer") is not JsonElement part)
        {
            return metaspace;
        }

        string type = json.String(part, "pre_tokenizer", "type");
        if (type != "Metaspace" || json.String(part, "pre_tokenizer", "replacement") != $"{Character}")
        {
            throw json.Unsupported($"the pre_tokenizer \"{type}\" with byte fallback", "Metaspace");
        }

        json.AllowOnly(part, "the pre_tokenizer", "type", "replacement", "prepend_scheme", "split");
        string scheme = json.String(part, "pre_tokenizer", "prepend_scheme");
        return scheme is "always" or "first" or "never"
            ? metaspace with { Scheme = scheme, Splits = json.Flag(part, "split", otherwise: true) }
            : throw json.Unsupported($"the prepend_scheme \"{scheme}\"", "always, first, never");
    }

    /// <summary>What the normalizers make of a text.</summary>
    public byte[] Normalize(ReadOnlySpan<byte> utf8) => Visible(utf8, NormalizerPrepends && !utf8.IsEmpty, NormalizerReplaces);

    /// <summary>What the pre-tokenizer makes of a normalized text.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="isStart">Whether nothing stands before it.</param>
    public ReadOnlySpan<byte> PreTokenize(ReadOnlySpan<byte> utf8, bool isStart)
    {
        if (Scheme is null || utf8.IsEmpty)
        {
            return utf8;
        }

        bool prepends = Scheme == "always" || (Scheme == "first" && isStart);
        return Visible(utf8, prepends && utf8[0] != ' ' && !utf8.StartsWith(Bytes), replaces: true);
    }

    /// <summary>The length of the word that a text, not empty, starts with: all of it unless it is to be split at spaces.</summary>
    public int NextWord(ReadOnlySpan<byte> text)
    {
        int next = Splits ? text[1..].IndexOf(Bytes) : -1;
        return next < 0 ? text.Length : next + 1;
    }

    private static byte[] Visible(ReadOnlySpan<byte> utf8, bool prepends, bool replaces)
    {
        int spaces = replaces ? utf8.Count((byte)' ') : 0;
        var visible = new byte[utf8.Length + (spaces * (Bytes.Length - 1)) + (prepends ? Bytes.Length : 0)];
        Span<byte> rest = visible;
        if (prepends)
        {
            Bytes.CopyTo(rest);
            rest = rest[Bytes.Length..];
        }

        while (spaces-- > 0)
        {
            int length = utf8.IndexOf((byte)' ');
            utf8[..length].CopyTo(rest);
            Bytes.CopyTo(rest[length..]);
            utf8 = utf8[(length + 1)..];
            rest = rest[(length + Bytes.Length)..];
        }

        utf8.CopyTo(rest);
        return visible;
    }

    private static IEnumerable<JsonElement> Steps(TokenizerJson json, string name, string list)
    {
        if (json.Part(name) is not JsonElement part)
        {
            return [];
        }

        return json.String(part, name, "type") == "Sequence"
            ? json.Items(json.Member(part, name, list), list)
            : [part];
    }

    private static string Normalizer(TokenizerJson json, JsonElement step)
    {
        string type = json.String(step, "normalizer", "type");
        bool isKnown = type switch
        {
            "Prepend" => json.String(step, "normalizer", "prepend") == $"{Character}",
            "Replace" => Replaces(json, step, " ", $"{Character}"),
            _ => false,
        };
        return isKnown ? type : throw json.Unsupported($"the normalizer \"{type}\" with byte fallback", "Prepend, Replace");
    }

    private static string Decoder(TokenizerJson json, JsonElement step)
    {
        string type = json.String(step, "decoder", "type");
        bool isKnown = type switch
        {
            "Replace" => Replaces(json, step, $"{Character}", " "),
            "Strip" => json.String(step, "decoder", "content") == " "
                && json.Id(json.Member(step, "decoder", "start"), "start") == 1 && json.Id(json.Member(step, "decoder", "stop"), "stop") == 0,
            _ => type is "ByteFallback" or "Fuse",
        };
        return isKnown ? type : throw json.Unsupported($"the decoder \"{type}\" with byte fallback");
    }

    private static bool Replaces(TokenizerJson json, JsonElement step, string from, string to) =>
        json.Member(step, "Replace", "pattern").TryGetProperty("String", out JsonElement pattern)
        && pattern.GetString() == from && json.String(step, "Replace", "content") == to;
}
