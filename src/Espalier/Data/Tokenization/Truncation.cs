using System.Text.Json;

namespace Espalier.Data;

/// <summary>How texts that are too long are cut.</summary>
/// <param name="MaxLength">The most tokens, special ones included.</param>
/// <param name="Strategy"><c>LongestFirst</c>, <c>OnlyFirst</c> or <c>OnlySecond</c> of a pair.</param>
/// <param name="FromLeft">Whether beginnings go rather than ends.</param>
internal sealed record Truncation(int MaxLength, string Strategy = "LongestFirst", bool FromLeft = false)
{
    /// <summary>Reads the <c>truncation</c> of a file; null when it has none.</summary>
    public static Truncation? FromJson(TokenizerJson json)
    {
        if (json.Part("truncation") is not JsonElement part)
        {
            return null;
        }

        // "stride" is how far the parts that are cut off overlap, which nothing here returns.
        json.AllowOnly(part, "the truncation", "direction", "max_length", "strategy", "stride");
        string strategy = json.String(part, "truncation", "strategy");
        return new Truncation(
            json.Id(json.Member(part, "truncation", "max_length"), "max_length"),
            strategy is "LongestFirst" or "OnlyFirst" or "OnlySecond"
                ? strategy
                : throw json.Unsupported($"the truncation \"{strategy}\"", "LongestFirst, OnlyFirst, OnlySecond"),
            json.IsLeft(part));
    }

    /// <summary>Cuts one text or a pair.</summary>
    /// <param name="text">The first text's ids.</param>
    /// <param name="pair">The second's; null: there is none.</param>
    /// <param name="added">The special tokens to come, for which room is left.</param>
    /// <exception cref="UserErrorException">There is no room, or the text to be cut is too short.</exception>
    public void Apply(List<int> text, List<int>? pair, int added)
    {
        int room = MaxLength - added, first = text.Count, second = pair?.Count ?? 0;
        if (room < 0)
        {
            throw new UserErrorException($"{MaxLength} tokens have no room for the {added} special ones of the tokenizer.", "Allow more tokens.");
        }

        int excess = first + second - room;
        if (excess <= 0)
        {
            return;
        }

        if (room == 0)
        {
            (first, second) = (0, 0);
        }
        else if (Strategy == "LongestFirst")
        {
            // The shorter keeps what it has, up to half of the room; of an odd room, the longer gets the odd token.
            int kept = Math.Min(Math.Min(first, second), room / 2);
            (first, second) = first <= second ? (kept, room - kept) : (room - kept, kept);
        }
        else
        {
            int left = (Strategy == "OnlyFirst" ? first : second) - excess;
            if (left <= 0)
            {
                throw new UserErrorException(
                    $"A text cannot be cut to {MaxLength} tokens: the part that the truncation \"{Strategy}\" cuts is too short.");
            }

            (first, second) = Strategy == "OnlyFirst" ? (left, second) : (first, left);
        }

        Cut(text, first);
        if (pair is not null)
        {
            Cut(pair, second);
        }
    }

    private void Cut(List<int> ids, int length) => ids.RemoveRange(FromLeft ? 0 : length, ids.Count - length);
}
