using System.Text.Json;

namespace Espalier.Data;

/// <summary>How texts that are too short are filled up.</summary>
/// <param name="Length">The least number of tokens; 0: the text's own.</param>
/// <param name="Multiple">What the number of tokens is to be a multiple of.</param>
/// <param name="Id">The id to fill with.</param>
/// <param name="TypeId">Its type id.</param>
/// <param name="OnLeft">Whether it goes before the text.</param>
internal sealed record Padding(int Length, int Multiple, int Id, int TypeId, bool OnLeft)
{
    // Longer than any model's context; a text of a billion tokens would only fill the memory.
    private const int Longest = 1 << 24;

    /// <summary>Reads the <c>padding</c> of a file; null when it has none.</summary>
    public static Padding? FromJson(TokenizerJson json)
    {
        if (json.Part("padding") is not JsonElement part)
        {
            return null;
        }

        json.AllowOnly(
            part, "the padding", "strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id", "pad_token");
        JsonElement strategy = json.Member(part, "padding", "strategy");
        int length = strategy.ValueKind == JsonValueKind.Object ? json.Id(json.Member(strategy, "padding", "Fixed"), "Fixed")
            : strategy.ValueKind == JsonValueKind.String && strategy.GetString() == "BatchLongest" ? 0
            : throw json.Unsupported($"the padding {strategy.GetRawText()}", "BatchLongest, Fixed");
        int multiple = part.TryGetProperty("pad_to_multiple_of", out JsonElement of) && of.ValueKind != JsonValueKind.Null
            ? json.Id(of, "pad_to_multiple_of")
            : 0;
        if (Math.Max(length, multiple) > Longest)
        {
            throw json.Damaged($"its padding fills every text up to {Math.Max(length, multiple)} tokens, and {Longest} are the most");
        }

        return new Padding(length, Math.Max(multiple, 1), Whole("pad_id"), Whole("pad_type_id"), json.IsLeft(part));

        int Whole(string name) => json.Id(json.Member(part, "padding", name), name);
    }

    /// <summary>Fills up a text.</summary>
    public EncodedText Apply(EncodedText text)
    {
        int target = Length == 0 ? text.Ids.Length : Length;
        int missing = ((target + Multiple - 1) / Multiple * Multiple) - text.Ids.Length;
        return missing <= 0 ? text : new EncodedText(Fill(text.Ids, Id), Fill(text.TypeIds, TypeId));

        int[] Fill(int[] values, int with)
        {
            IEnumerable<int> more = Enumerable.Repeat(with, missing);
            return OnLeft ? [.. more, .. values] : [.. values, .. more];
        }
    }
}
