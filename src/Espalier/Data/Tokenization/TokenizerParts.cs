using System.Text.Json;

namespace Espalier.Data;

/// <summary>What a tokenizer has around its model: added tokens, special tokens around texts, limits of length.</summary>
internal sealed record TokenizerParts(IReadOnlyList<AddedToken> AddedTokens)
{
    /// <summary>Sets special tokens around texts.</summary>
    public PostProcessor PostProcessor { get; init; } = PostProcessor.None;

    /// <summary>How the file wants long texts cut, or null.</summary>
    public Truncation? Truncation { get; init; }

    /// <summary>How the file wants short texts filled up, or null.</summary>
    public Padding? Padding { get; init; }

    /// <summary>The <c>truncation</c> and <c>padding</c> of the file.</summary>
    public (JsonElement? Truncation, JsonElement? Padding) Source { get; init; }

    /// <summary>What the file beside says.</summary>
    public TokenizerConfigFile Config { get; init; } = new(null, null);

    /// <summary>Reads these parts of a file.</summary>
    public static TokenizerParts FromJson(TokenizerJson json) => new(json.AddedTokens())
    {
        PostProcessor = PostProcessor.FromJson(json),
        Truncation = Truncation.FromJson(json),
        Padding = Padding.FromJson(json),
        Config = json.Config,
        Source = (json.Part("truncation"), json.Part("padding")),
    };
}
