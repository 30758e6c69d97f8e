using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>Joins BERT's tokens into text: a space before every token that begins a word.</summary>
/// <param name="Prefix">What a token that continues a word begins with.</param>
/// <param name="Cleanup">Whether the space before some punctuation and contractions goes.</param>
internal sealed record WordPieceDecoder(string Prefix, bool Cleanup)
{
    // In this order, token by token, as Hugging Face's library does it.
    private static readonly (string From, string To)[] Contractions =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>That of a file without one: all tokens as they are, with a space between them.</summary>
    public static WordPieceDecoder None { get; } = new("", Cleanup: false);

    /// <summary>Reads the <c>decoder</c> of a file.</summary>
    public static WordPieceDecoder FromJson(TokenizerJson json)
    {
        if (json.Part("decoder") is not JsonElement part)
        {
            return None;
        }

        string type = json.String(part, "decoder", "type");
        if (type != "WordPiece")
        {
            throw json.Unsupported($"the decoder \"{type}\" with WordPiece", "WordPiece");
        }

        json.AllowOnly(part, "the decoder", "type", "prefix", "cleanup");
        return new WordPieceDecoder(json.String(part, "decoder", "prefix"), json.Flag(part, "cleanup", otherwise: true));
    }

    /// <summary>Writes the <c>decoder</c>.</summary>
    public void Write(Utf8JsonWriter json)
    {
        if (ReferenceEquals(this, None))
        {
            json.WriteNull("decoder");
            return;
        }

        json.WriteStartObject("decoder");
        json.WriteString("type", "WordPiece");
        json.WriteString("prefix", Prefix);
        json.WriteBoolean("cleanup", Cleanup);
        json.WriteEndObject();
    }

    /// <summary>Appends the text of a token.</summary>
    public void Append(string token, bool isFirst, StringBuilder text)
    {
        string piece = isFirst ? token
            : !ReferenceEquals(this, None) && token.StartsWith(Prefix, StringComparison.Ordinal) ? token[Prefix.Length..]
            : " " + token;
        if (Cleanup)
        {
            foreach ((string from, string to) in Contractions)
            {
                piece = piece.Replace(from, to, StringComparison.Ordinal);
            }
        }

        text.Append(piece);
    }
}
